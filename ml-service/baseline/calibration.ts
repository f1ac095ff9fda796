/** A distance is usual while more than this fraction of the past ones was larger. */
const UNUSUAL_FRACTION = 0.005

/** Distances a generation counts; two of them are 4 weeks of 300 s windows. */
const GENERATION = 4032

/** Enough to find the quantile over two full generations. */
const KEPT = Math.ceil(UNUSUAL_FRACTION * 2 * GENERATION)

/**
 * The largest distances of the current and the last generation, descending. What a metric did four weeks ago
 * is forgotten a generation at a time, so nothing has to be stored but the tops.
 */
export interface Calibration {
  top: number[]
  count: number
  previousTop: number[]
  previousCount: number
}

export const emptyCalibration = (): Calibration => ({ top: [], count: 0, previousTop: [], previousCount: 0 })

export const calibrationSize = ({ count, previousCount }: Calibration) => count + previousCount

/** Learns one finite distance, in place. */
export function addDistance(calibration: Calibration, distance: number): void {
  const { top } = calibration
  calibration.count += 1
  if (top.length < KEPT || distance > top[top.length - 1]!) {
    let at = top.length
    while (at > 0 && top[at - 1]! < distance) at -= 1
    top.splice(at, 0, distance)
    if (top.length > KEPT) top.pop()
  }
  if (calibration.count < GENERATION) return
  calibration.previousTop = top
  calibration.previousCount = calibration.count
  calibration.top = []
  calibration.count = 0
}

/** The largest distance that still is usual (quantile 0.995 of the past ones); undefined before the first. */
export function usualDistance(calibration: Calibration): number | undefined {
  const { top, previousTop } = calibration
  const rank = Math.ceil(UNUSUAL_FRACTION * calibrationSize(calibration))
  let value: number | undefined
  for (let taken = 0, i = 0, j = 0; taken < rank; taken += 1) {
    const a = top[i]
    const b = previousTop[j]
    if (a !== undefined && (b === undefined || a >= b)) {
      value = a
      i += 1
    } else {
      value = b
      j += 1
    }
  }
  return value
}
