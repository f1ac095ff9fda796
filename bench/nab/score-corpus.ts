/**
 * The scoring rules of the Numenta Anomaly Benchmark v1.1 (Lavin and Ahmad 2015), written from their
 * description: one threshold for all files, the earliest alarm counts in a labelled window, every alarm row
 * outside costs.
 */

/** What is won by a window found, and lost by one missed and by an alarm row outside. */
export interface Profile {
  found: number
  missed: number
  falseRow: number
}

export const PROFILES = {
  standard: { found: 1, missed: 1, falseRow: 0.11 },
  low_FP: { found: 1, missed: 1, falseRow: 0.22 },
  low_FN: { found: 1, missed: 2, falseRow: 0.11 },
} satisfies Record<string, Profile>

/** Rows at a file's start that are not scored: 15 %, at most 750. */
const PROBATION = 0.15
const MAX_PROBATION_ROWS = 750

/** One file's rows with their anomaly scores; windows by row numbers, both ends inclusive, in order. */
export interface ScoredFile {
  scores: Float64Array
  windows: [first: number, last: number][]
}

export interface CorpusScore {
  /** 0: no alarm at all; 100: every window found on its first row, and no false alarm. */
  score: number
  /** Windows with an alarm, of those that have a scored row. */
  found: number
  windows: number
  /** Alarm rows outside of the windows. */
  falseRows: number
}

/** 1 far before the end of a window (x = -1 is its width), 0 at its end, -1 far after it. */
const timeliness = (x: number) => (x > 3 ? -1 : 2 / (1 + Math.exp(5 * x)) - 1)

interface RatedRow {
  score: number
  /** In a window: 1 on its first row, falling to 0 at its end. Outside: -1, less just after a window. */
  reward: number
  /** The window's number in the corpus; -1 outside. */
  window: number
}

/** The rows that count, of all files, with what an alarm on each would be worth. */
function ratedRows(files: ScoredFile[]): { rows: RatedRow[]; windows: number; reachable: Set<number> } {
  const rows: RatedRow[] = []
  const reachable = new Set<number>()
  let windows = 0
  for (const { scores, windows: spans } of files) {
    const start = Math.min(Math.floor(PROBATION * scores.length), MAX_PROBATION_ROWS)
    let next = 0 // the first window that does not end before the row
    for (let row = 0; row < scores.length; row += 1) {
      while (next < spans.length && row > spans[next]![1]) next += 1
      if (row < start) continue
      const span = spans[next]
      const inside = span !== undefined && row >= span[0]
      if (inside) reachable.add(windows + next)
      rows.push({
        score: scores[row]!,
        reward: inside ? rewardInside(row, span) : rewardAfter(row, spans[next - 1]),
        window: inside ? windows + next : -1,
      })
    }
    windows += spans.length
  }
  return { rows, windows, reachable }
}

const rewardInside = (row: number, [first, last]: [number, number]) =>
  timeliness((row - last - 1) / (last - first + 1)) / timeliness(-1)

const rewardAfter = (row: number, before: [number, number] | undefined) =>
  before === undefined ? -1 : timeliness((row - before[1]) / (before[1] - before[0]))

/** The score at one threshold: a row alarms when its score is at or above it. */
export function scoreCorpus(files: ScoredFile[], threshold: number, profile: Profile): CorpusScore {
  const { rows, windows, reachable } = ratedRows(files)
  const best = new Map<number, number>()
  let raw = 0
  let falseRows = 0
  for (const { score, reward, window } of rows) {
    if (!(score >= threshold)) continue
    if (window >= 0) best.set(window, Math.max(best.get(window) ?? 0, reward))
    else {
      raw += reward * profile.falseRow
      falseRows += 1
    }
  }
  for (const reward of best.values()) raw += reward * profile.found
  raw -= (reachable.size - best.size) * profile.missed
  return {
    score: normalised(raw, windows, reachable.size, profile),
    found: best.size,
    windows: reachable.size,
    falseRows,
  }
}

const normalised = (raw: number, windows: number, reachable: number, profile: Profile) => {
  const none = -reachable * profile.missed
  return (100 * (raw - none)) / (windows * profile.found - none)
}

/** The threshold with the best score, the highest of equals; Infinity where no alarm is the best. O(n log n). */
export function bestThreshold(files: ScoredFile[], profile: Profile): number {
  const rows = ratedRows(files).rows.sort((a, b) => b.score - a.score)
  const won = new Map<number, number>()
  let threshold = Number.POSITIVE_INFINITY
  let most = 0
  let raw = 0
  rows.forEach(({ score, reward, window }, i) => {
    if (window < 0) raw += reward * profile.falseRow
    else {
      const now = Math.max(won.get(window) ?? -profile.missed, reward * profile.found)
      raw += now - (won.get(window) ?? -profile.missed)
      won.set(window, now)
    }
    if (raw <= most || rows[i + 1]?.score === score) return
    most = raw
    threshold = score
  })
  return threshold
}
