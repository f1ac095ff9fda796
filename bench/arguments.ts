export interface BenchArguments {
  /** A JSON object a line instead of a table. */
  json: boolean
  /** The one benchmark to run; undefined: all. */
  only: string | undefined
}

/** Reads `[--json] [NAME]`. Throws, in one sentence, on anything that is not one of `names`. */
export function parseArguments(args: string[], names: string[]): BenchArguments {
  const given = args.filter((arg) => arg !== '--json')
  const stray = given.find((arg) => !names.includes(arg))
  if (stray !== undefined) throw new Error(`There is no benchmark ${stray}: choose from ${names.join(', ')}.`)
  if (given.length > 1) throw new Error('Name one benchmark, or none to run all.')
  return { json: args.includes('--json'), only: given[0] }
}
