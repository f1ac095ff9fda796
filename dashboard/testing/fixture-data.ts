const WINDOW_MS = 300_000
const DAY_MS = 86_400_000
const HISTORY_DAYS = 40
const LEARNING_DAYS = 3
export const METRICS_EACH = 4
/** From now on to when the metric that learns will be ready. */
export const READY_IN_MS = 5 * 3_600_000

/** How long before the newest window the failure of the first metric starts, and how many windows it lasts. */
const FAILURE = { windowsAgo: 150, windows: 9 }
/** A stretch of silence within the last day, of the first device alone. */
const SILENCE = { windowsAgo: 60, windows: 20 }

/**
 * Each device has a metric with a failure, one that still learns, one that stopped sending after a single window,
 * one without any.
 */
export function metricsOf(deviceId: string, now: number, device = deviceId) {
  const last_ts = new Date(now - 90_000).toISOString()
  const shared = { device_id: deviceId, device }
  const ready = { last_ts, state: 'ready', ready_at: null, ...shared }
  const learning = { last_ts, last_score: 0, state: 'learning', ...shared }
  const ready_at = new Date(now + READY_IN_MS).toISOString()
  const none = { last_ts: null, last_score: null, state: null, ready_at: null, ...shared }
  return [
    { id: `${deviceId}.temperature`, name: 'temperature', unit: '°C', last_score: 0.31, ...ready },
    { id: `${deviceId}.vibration`, name: 'vibration', unit: 'mm/s', ...learning, ready_at },
    { id: `${deviceId}.flow`, name: 'flow', unit: 'l/s', ...learning, ready_at: null },
    { id: `${deviceId}.mode`, name: 'mode', unit: null, ...none },
  ]
}

export function windowsOf(metricId: string, now: number) {
  return startsOf(metricId, now).map(({ windowStart, windowsAgo }) => {
    const median = valueAt(windowStart) + (inFailure(windowsAgo) ? 18 : 0)
    const spread = 1.2 + 0.8 * wave(windowStart, 0.011)
    return {
      window_start: new Date(windowStart).toISOString(),
      window_end: new Date(windowStart + WINDOW_MS).toISOString(),
      count: 300,
      mean: median + 0.05,
      std: spread / 2,
      median,
      mad: spread / 3,
      min: median - spread,
      max: median + spread * 1.3,
      range: spread * 2.3,
    }
  })
}

export function anomaliesOf(metricId: string, now: number) {
  return startsOf(metricId, now).map(({ windowStart, windowsAgo }, index) => {
    const learning = !metricId.endsWith('.temperature') || index * WINDOW_MS < LEARNING_DAYS * DAY_MS
    const failing = inFailure(windowsAgo) && !learning
    const score = failing
      ? 2.4 - 0.1 * (FAILURE.windowsAgo - windowsAgo)
      : 0.25 + 0.2 * wave(windowStart, 0.7)
    return {
      metric_id: metricId,
      window_start: new Date(windowStart).toISOString(),
      window_end: new Date(windowStart + WINDOW_MS).toISOString(),
      score: learning ? 0 : score,
      onset_score: 0,
      state: learning ? 'learning' : 'ready',
      reasons: failing ? ['median far above every value seen', 'unusual for this time of day'] : [],
      expected: learning
        ? { low: null, high: null }
        : { low: valueAt(windowStart) - 4, high: valueAt(windowStart) + 4 },
      model_id: learning ? null : 'model-1',
      scored_at: new Date(now).toISOString(),
    }
  })
}

function windowCount(metricId: string): number {
  if (metricId.endsWith('.mode')) return 0
  if (metricId.endsWith('.flow')) return 1
  return ((metricId.endsWith('.vibration') ? 1 : HISTORY_DAYS) * DAY_MS) / WINDOW_MS
}

const inFailure = (windowsAgo: number) =>
  windowsAgo <= FAILURE.windowsAgo && windowsAgo > FAILURE.windowsAgo - FAILURE.windows

const inSilence = (windowsAgo: number) =>
  windowsAgo <= SILENCE.windowsAgo && windowsAgo > SILENCE.windowsAgo - SILENCE.windows

/** The closed windows of a metric, oldest first. */
function startsOf(metricId: string, now: number) {
  const newest = Math.floor(now / WINDOW_MS) * WINDOW_MS - WINDOW_MS
  const count = windowCount(metricId)
  return Array.from({ length: count }, (_, index) => count - 1 - index)
    .map((windowsAgo) => ({ windowsAgo, windowStart: newest - windowsAgo * WINDOW_MS }))
    .filter(({ windowsAgo }) => !(metricId.startsWith('device-1.') && inSilence(windowsAgo)))
}

/** A daily swing with something of every frequency over it: deterministic, so that pictures can be compared. */
const valueAt = (time: number) =>
  72 + 5 * Math.sin((time / DAY_MS) * 2 * Math.PI) + 0.9 * wave(time, 1) + 0.6 * wave(time, 7.3)

const wave = (time: number, speed: number) => Math.sin((time / WINDOW_MS) * speed)
