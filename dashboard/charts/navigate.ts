import type { TimeSpan } from '../time-range.ts'

/** Four windows: closer there is nothing more to see. */
export const MIN_SHOWN_MS = 4 * 300_000

/** Moves what is shown by a share of its own width, as far as `whole` goes. */
export function pan(shown: TimeSpan, whole: TimeSpan, share: number): TimeSpan {
  return placed(shown.from + widthOf(shown) * share, widthOf(shown), whole)
}

/** Shows `factor` times as much, around the instant at the share `at` of the width, which stays where it is. */
export function zoom(shown: TimeSpan, whole: TimeSpan, factor: number, at = 0.5): TimeSpan {
  const width = Math.max(MIN_SHOWN_MS, widthOf(shown) * factor)
  return placed(shown.from + (widthOf(shown) - width) * at, width, whole)
}

/** What of `whole` a span chosen by hand shows: no less than can be read, nothing beyond. */
export function clamp(shown: TimeSpan, whole: TimeSpan): TimeSpan {
  const width = Math.max(MIN_SHOWN_MS, widthOf(shown))
  return placed(shown.from - (width - widthOf(shown)) / 2, width, whole)
}

export const isWhole = (shown: TimeSpan, whole: TimeSpan) => shown.from <= whole.from && shown.to >= whole.to

const widthOf = ({ from, to }: TimeSpan) => to - from

/** A span of this width, as near to `from` as `whole` allows; all of it when it is no wider. */
function placed(from: number, width: number, whole: TimeSpan): TimeSpan {
  if (width >= widthOf(whole)) return whole
  const start = Math.min(Math.max(from, whole.from), whole.to - width)
  return { from: start, to: start + width }
}
