/** The device of datapoints that nothing in them assigns to one. */
export const DEFAULT_DEVICE = 'default'

/**
 * What follows a metric's name where a protocol has tags or attributes that tell series apart, so that all
 * protocols name a series alike: `,tag=value` of each, sorted by tag. O(n log n).
 */
export const seriesSuffix = (tags: [string, string][]): string =>
  tags
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([tag, value]) => `,${escapeTag(tag)}=${escapeTag(value)}`)
    .join('')

/** So that a tag's value cannot pass for another tag. */
const escapeTag = (text: string) => text.replace(/[,=]/g, '\\$&')
