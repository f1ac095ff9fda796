/** Length of the tumbling windows. */
export const WINDOW_MS = 300_000

/** Start of the half-open window `[start, start + WINDOW_MS)` that holds `ts`; windows are aligned to the epoch. */
export function windowStartOf(ts: number): number {
  return Math.floor(ts / WINDOW_MS) * WINDOW_MS
}
