import { describe, expect, it } from 'vitest'
import { createApi } from '../api/api.ts'
import { createFixtureApi, FIXTURE_KEY } from '../testing/fixture-api.ts'
import { loadHistory } from './load-history.ts'

const HOUR_MS = 3_600_000
const start = Date.UTC(2026, 0, 31)
const metricId = 'device-7.temperature'

/** The API at a time, and what was asked of it. */
function apiAt(now: number) {
  const { answer } = createFixtureApi(now)
  const asked: URL[] = []
  const api = createApi({
    baseUrl: 'https://api.example',
    key: FIXTURE_KEY,
    fetch: async (request) => {
      asked.push(new URL(request.url))
      return answer(request)
    },
    onKeyRefused: () => {},
  })
  return { api, asked }
}

describe('loadHistory()', () => {
  it('keeps up with a range that moves on by reading only what is new', async () => {
    const first = apiAt(start)
    const period = '7d' as const
    const before = await loadHistory(first.api, { metricId, period, now: start }, {})
    const later = start + 2 * HOUR_MS
    const second = apiAt(later)
    const after = await loadHistory(second.api, { metricId, period, now: later }, {}, before)

    const whole = await loadHistory(apiAt(later).api, { metricId, period, now: later }, {})
    const starts = ({ history }: typeof whole) => history.map(({ windowStart }) => windowStart)
    expect(starts(after)).toEqual(starts(whole))
    expect(starts(after).length).toBe(7 * 288)
    const windows = second.asked.filter(({ pathname }) => pathname.endsWith('/windows'))
    const from = Date.parse(windows[0]!.searchParams.get('from')!)
    expect(windows).toHaveLength(1)
    expect(later - from).toBeLessThan(4 * HOUR_MS)
  })

  it('pairs every window with its score, at both ends of a span that stays', async () => {
    const period = { from: start - 10 * HOUR_MS, to: start - 8 * HOUR_MS }
    const { history } = await loadHistory(apiAt(start).api, { metricId, period, now: start }, {})
    expect(history).toHaveLength(24)
    expect(history.filter(({ window, anomaly }) => !window || !anomaly)).toEqual([])
  })
})
