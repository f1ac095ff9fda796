import { MAX_NAME_LENGTH, MAX_NAME_UNITS } from './name.ts'

/** The device of datapoints that nothing in them assigns to one. */
export const DEFAULT_DEVICE = 'default'
/** As each adds `,` and `=` to it, no name can hold so many. */
export const TOO_MANY_TAGS = MAX_NAME_LENGTH / 2

/**
 * What follows a metric's name where a protocol has tags or attributes that tell series apart, so that all
 * protocols name a series alike: `,tag=value` of each, sorted by tag. Of a tag that comes twice the last value
 * counts. undefined: more than any name can hold. O(n log n), whatever the tags' length.
 */
export function seriesSuffix(tags: [tag: string, value: string][]): string | undefined {
  if (tags.length >= TOO_MANY_TAGS) return undefined
  const sorted = tags.length > 1 ? tags.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) : tags
  // Joined, as a text that is added to keeps each of its pieces in memory.
  const pieces: string[] = []
  let length = 0
  for (const [i, [tag, value]] of sorted.entries()) {
    if (tag === sorted[i + 1]?.[0]) continue
    length += tag.length + value.length
    if (length > MAX_NAME_UNITS) return undefined
    pieces.push(',', escapeTag(tag), '=', escapeTag(value))
  }
  return pieces.join('')
}

/** So that a tag's value cannot pass for another tag. */
const escapeTag = (text: string) =>
  text.includes(',') || text.includes('=') ? text.replace(/[,=]/g, '\\$&') : text
