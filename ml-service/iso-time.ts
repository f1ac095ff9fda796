/** Epoch ms as the API writes instants. */
export const isoTime = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
