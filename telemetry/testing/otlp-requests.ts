import { parseOtlpJson } from '../otlp-json.ts'
import { parseOtlpProtobuf } from '../otlp-protobuf.ts'
import type { ParsedBatch } from '../parsed-batch.ts'
import { encodeOtlp } from './otlp-encode.ts'

/** A batch with lists for columns, which tests can write. */
export const withLists = (batch: ParsedBatch) => ({
  ...batch,
  ...{ seriesOf: [...batch.seriesOf], ts: [...batch.ts], values: [...batch.values] },
})

export type Parse = (request: object) => ReturnType<typeof withLists>

export const NEW_YEAR = 1_767_225_600_000
export const ARRIVAL = NEW_YEAR + 5_000
export const T = `${NEW_YEAR}000000`

/** Parsers of a request in its JSON form, by encoding. */
export const ENCODINGS: Record<string, Parse> = {
  JSON: (request: object) =>
    withLists(parseOtlpJson(new TextEncoder().encode(JSON.stringify(request)), ARRIVAL)),
  protobuf: (request: object) => withLists(parseOtlpProtobuf(encodeOtlp(request), ARRIVAL)),
}

export const attributes = (of: Record<string, object | string>) =>
  Object.entries(of).map(([key, value]) => {
    return { key, value: typeof value === 'string' ? { stringValue: value } : value }
  })

/** A request with one metric of device `d`. */
export const request = (
  metric: object,
  resource: Record<string, object | string> = { 'device.id': 'd' },
) => ({
  resourceMetrics: [
    {
      resource: { attributes: attributes(resource) },
      scopeMetrics: [{ scope: { name: 's' }, metrics: [metric] }],
    },
  ],
})

/** A gauge `m` with one datapoint. */
export const gauge = (point: object, metric: object = {}) => ({
  name: 'm',
  gauge: { dataPoints: [{ timeUnixNano: T, asDouble: 1, ...point }] },
  ...metric,
})

/** The datapoints in words: series, timestamp, value, or why there is none. */
export function rowsOf(parse: Parse, sent: object): string[] {
  const { names, seriesOf, ts, values, nulls, unstorable = [], pathOf } = parse(sent)
  const reasons = new Map(unstorable.map(({ ordinal, code }) => [ordinal, code]))
  for (const ordinal of nulls) reasons.set(ordinal, 'null_value')
  return ts.map((time, i) => {
    const { device, metric } = names[seriesOf[i]!] ?? { device: '', metric: '' }
    return reasons.has(i)
      ? `${pathOf(i).replace('resourceMetrics[0].scopeMetrics[0].', '')}: ${reasons.get(i)}`
      : `${device}/${metric} ${time - NEW_YEAR} ${values[i]}`
  })
}
