/** The device of datapoints that nothing in them assigns to one. */
export const DEFAULT_DEVICE = 'default'

/**
 * What follows a metric's name where a protocol has tags or attributes that tell series apart, so that all
 * protocols name a series alike: `,tag=value` of each, sorted by tag. Of a tag that comes twice the last value
 * counts. O(n log n).
 */
export function seriesSuffix(tags: [tag: string, value: string][]): string {
  const sorted = tags.length > 1 ? tags.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) : tags
  let suffix = ''
  sorted.forEach(([tag, value], i) => {
    if (tag !== sorted[i + 1]?.[0]) suffix += `,${escapeTag(tag)}=${escapeTag(value)}`
  })
  return suffix
}

/** So that a tag's value cannot pass for another tag. */
const escapeTag = (text: string) =>
  text.includes(',') || text.includes('=') ? text.replace(/[,=]/g, '\\$&') : text
