export interface BenchArguments {
  /** A JSON object a line instead of a table. */
  json: boolean
  /** The benchmarks to run, by name. */
  names: string[]
  /** Of their lines only those of growth. */
  onlyGrowth: boolean
}

/** The benchmarks that tell, beside their ratio, how it is at 100 times the series. */
export const GROWING = ['edge_cpu', 'ingest_rate', 'flush_rate', 'feature_rate', 'score_rate']

/** Reads `[--json] [NAME]`, NAME being one of `names` or `growth`. Throws, in one sentence, on anything else. */
export function parseArguments(args: string[], names: string[]): BenchArguments {
  const given = args.filter((arg) => arg !== '--json')
  const choice = [...names, 'growth']
  const stray = given.find((arg) => !choice.includes(arg))
  if (stray !== undefined)
    throw new Error(`There is no benchmark ${stray}: choose from ${choice.join(', ')}.`)
  if (given.length > 1) throw new Error('Name one benchmark, or none to run all.')
  const [only] = given
  const onlyGrowth = only === 'growth'
  const chosen = onlyGrowth ? GROWING : only === undefined ? names : [only]
  return { json: args.includes('--json'), names: chosen, onlyGrowth }
}
