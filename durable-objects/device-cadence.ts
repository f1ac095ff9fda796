/**
 * How often a device usually sends, by arrival: a gateway that sends its buffer once a minute is heard of once a
 * minute, whatever the times of its data, and one that sends old data is not silent. Arrivals close together are one
 * occasion (a buffer in several batches); the usual interval is the longest but one of the last eight between
 * occasions, so that one outage does not count and a device that sends less often from now on is understood after two.
 */
export interface Cadence {
  /** When the last occasion began, epoch ms. */
  occasionMs: number
  /** The last intervals between occasions, oldest first. */
  intervalsMs: number[]
}

/** Shorter intervals are one occasion: nobody can ask for less than a minute of silence. */
export const OCCASION_MS = 10_000
/** And so are those shorter than this share of the usual: a large buffer takes a while. */
const OCCASION_SHARE = 1 / 8
const INTERVALS_KEPT = 8
/** Before that there is nothing usual. */
const INTERVALS_NEEDED = 4
/** A longer interval counts as this: as long as a device is remembered, and small to hold. */
const MAX_INTERVAL_MS = 10 * 86_400_000

/** Milliseconds; undefined while too few intervals are known. */
export function usualIntervalMs({ intervalsMs }: Cadence): number | undefined {
  if (intervalsMs.length < INTERVALS_NEEDED) return undefined
  let longest = 0
  let next = 0
  for (const interval of intervalsMs) {
    if (interval > longest) [longest, next] = [interval, longest]
    else if (interval > next) next = interval
  }
  return next
}

/** Takes an arrival in; one before the last occasion teaches nothing, and neither does time before `countFromMs`. */
export function learnArrival(cadence: Cadence, arrivalMs: number, countFromMs: number): void {
  const interval = arrivalMs - cadence.occasionMs
  const usual = usualIntervalMs(cadence) ?? 0
  if (interval < Math.max(OCCASION_MS, usual * OCCASION_SHARE)) return
  if (cadence.occasionMs >= countFromMs) {
    if (cadence.intervalsMs.length === INTERVALS_KEPT) cadence.intervalsMs.shift()
    cadence.intervalsMs.push(Math.min(interval, MAX_INTERVAL_MS))
  }
  cadence.occasionMs = arrivalMs
}
