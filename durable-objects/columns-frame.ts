import * as v from 'valibot'
import type { Columns } from '../telemetry/columns.ts'
import { decodeFrame, encodeFrame } from '../telemetry/frame.ts'

const Header = v.object({
  series: v.array(v.tuple([v.string(), v.string(), v.nullable(v.string())])),
  datapoints: v.number(),
})

/** What the journal keeps of a batch: enough to rebuild windows from, without the body order. */
export type JournalColumns = Omit<Columns, 'ordinals'>

export function encodeColumns(columns: JournalColumns): Uint8Array<ArrayBuffer> {
  const header = {
    series: columns.series.map(({ device, metric, unit }) => [device, metric, unit]),
    datapoints: columns.ts.length,
  }
  return encodeFrame(header, columns.ts, columns.values, columns.offsets)
}

export function decodeColumns(frame: Uint8Array): JournalColumns {
  const { header, body } = decodeFrame(frame)
  const { series, datapoints } = v.parse(Header, header)
  return {
    series: series.map(([device, metric, unit]) => ({ device, metric, unit })),
    ts: new Float64Array(body, 0, datapoints),
    values: new Float64Array(body, datapoints * 8, datapoints),
    offsets: new Uint32Array(body, datapoints * 16, series.length + 1),
  }
}
