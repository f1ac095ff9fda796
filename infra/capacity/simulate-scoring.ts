const WINDOW_S = 300

export interface Simulated {
  tenants: number
  seriesATenant: number
  /** Processes that take chunks of due metrics, never of two tenants. */
  workers: number
  chunk: number
  windowsASecond: number
  hours: number
}

/**
 * The queue of due work over some hours of virtual time: every tenant's windows fall due every 300 s, each tenant's at a
 * moment of its own, and free workers take the chunk that has been due the longest. Returns the longest wait in seconds
 * from due to scored, in the first and in the last hour: equal if the queue keeps up.
 */
export function simulateScoring(simulated: Simulated): { firstHour: number; lastHour: number } {
  const { workers, hours } = simulated
  const free = new Float64Array(workers) // when each worker is free again
  const longest = new Float64Array(hours)
  for (const { dueAt, size } of chunksOf(simulated)) {
    const first = free.indexOf(Math.min(...free))
    const done = Math.max(free[first]!, dueAt) + size / simulated.windowsASecond
    free[first] = done
    const hour = Math.floor(dueAt / 3600)
    longest[hour] = Math.max(longest[hour]!, done - dueAt)
  }
  return { firstHour: longest[0]!, lastHour: longest[hours - 1]! }
}

/** All chunks in the order in which they fall due. */
function* chunksOf({ tenants, seriesATenant, chunk, hours }: Simulated) {
  for (let window = 0; window < (hours * 3600) / WINDOW_S; window += 1) {
    for (let tenant = 0; tenant < tenants; tenant += 1) {
      const dueAt = window * WINDOW_S + (tenant * WINDOW_S) / tenants
      for (let from = 0; from < seriesATenant; from += chunk) {
        yield { dueAt, size: Math.min(chunk, seriesATenant - from) }
      }
    }
  }
}
