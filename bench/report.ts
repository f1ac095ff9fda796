import * as v from 'valibot'

const lineSchema = v.objectWithRest(
  { name: v.string(), ratio: v.number(), of: v.optional(v.string()) },
  v.union([v.number(), v.string()]),
)
export type BenchLine = v.InferOutput<typeof lineSchema>

/** A line that a benchmark printed. Throws on any other. */
export const parseLine = (line: string): BenchLine =>
  v.parse(v.pipe(v.string(), v.parseJson(), lineSchema), line)

/** The same for a person: name, ratio, then whatever else was measured. */
export function tableRow({ name, of, ratio, ...figures }: BenchLine): string {
  const title = of === undefined ? name : `${name} of ${of}`
  const others = Object.entries(figures).map(([key, figure]) => {
    return `${key.replaceAll('_', ' ')} ${figure.toLocaleString('en')}`
  })
  return `${title.padEnd(28)}${ratio.toFixed(2).padStart(8)}   ${others.join(', ')}`.trimEnd()
}
