import * as v from 'valibot'
import type { Series } from '../metric-lookup.ts'
import { UsageError } from '../usage-error.ts'

/** A time of which somebody said that something was wrong: both ends belong to it, epoch ms. */
export interface LabelledSpan {
  from: number
  to: number
}

const instant = v.pipe(
  v.union([v.pipe(v.string(), v.transform(utcOf)), v.number()]),
  v.check((ms) => !Number.isNaN(new Date(ms).getTime()), 'is no time'),
)
const spanSchema = v.pipe(
  v.union([
    v.pipe(
      v.tuple([instant, instant]),
      v.transform(([from, to]) => ({ from, to })),
    ),
    v.object({ from: instant, to: instant }),
  ]),
  v.check(({ from, to }) => from <= to, 'ends before it begins'),
)
const spansSchema = v.array(spanSchema)
const labelsSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.union([spansSchema, v.record(v.string(), spansSchema)]),
)

/** A time without a zone is UTC, as in the labels of the Numenta corpus (`2014-01-01 00:00:00.000000`). */
function utcOf(text: string): number {
  const zoned = /(Z|[+-]\d\d:?\d\d)$/i.test(text) || !text.includes(':') ? text : `${text}Z`
  return Date.parse(zoned.replace(' ', 'T'))
}

/**
 * The spans that a label file has for a metric, by time, overlapping ones joined: a JSON array of `[from, to]` or
 * `{"from","to"}`, or an object of such arrays by `device/metric` or id. Throws a UsageError on anything else.
 */
export function labelledSpans(text: string, { device, metric, metricId }: Series): LabelledSpan[] {
  const parsed = v.safeParse(labelsSchema, text)
  if (!parsed.success) {
    throw new UsageError(
      '--labels must be a JSON file with an array of [from, to], or one for each device/metric.',
    )
  }
  const labels = parsed.output
  if (Array.isArray(labels)) return joined(labels)
  const own = labels[`${device}/${metric}`] ?? labels[metricId]
  if (own === undefined) throw new UsageError(`The file of --labels has no entry "${device}/${metric}".`)
  return joined(own)
}

function joined(spans: LabelledSpan[]): LabelledSpan[] {
  const result: LabelledSpan[] = []
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = result.at(-1)
    if (last !== undefined && span.from <= last.to) last.to = Math.max(last.to, span.to)
    else result.push({ ...span })
  }
  return result
}
