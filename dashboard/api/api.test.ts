import { describe, expect, it, vi } from 'vitest'
import { createFixtureApi, EMPTY_KEY, FIXTURE_KEY } from '../testing/fixture-api.ts'
import { createApi } from './api.ts'
import type { ApiError } from './api-error.ts'
import type { ApiOptions } from './request.ts'

const now = Date.UTC(2026, 0, 31)
const DAY_MS = 86_400_000

describe('createApi()', () => {
  it('reads every page of a history and says how far it is', async () => {
    const progress: number[] = []
    const span = { from: now - 7 * DAY_MS, to: now }
    const windows = await apiWith({}).windows('device-7.temperature', span, {
      onProgress: (count) => progress.push(count),
    })
    expect(progress).toEqual([1000, 2000, windows.length])
    expect(windows[0]!.window_start).toBeGreaterThanOrEqual(span.from)
    expect(windows.at(-1)!.window_start).toBeLessThan(span.to)
  })

  it('finds a metric by its id', async () => {
    expect(await apiWith({}).metric('device-7.vibration')).toMatchObject({ name: 'vibration' })
  })

  it('rejects with not_found for a metric that is nobody’s', async () => {
    await expect(apiWith({}).metric('device-8.speed')).rejects.toMatchObject({
      code: 'not_found',
    })
  })

  it('gives an empty page to a tenant that has sent nothing', async () => {
    expect(await apiWith({ key: EMPTY_KEY }).devices()).toEqual({ data: [], next_cursor: null })
  })

  it('reports a refused key once, besides the rejection', async () => {
    const onKeyRefused = vi.fn<(error: ApiError) => void>()
    await expect(apiWith({ key: 'epk_wrong', onKeyRefused }).devices()).rejects.toMatchObject({ status: 401 })
    expect(onKeyRefused).toHaveBeenCalledTimes(1)
  })

  it('says how long to wait when the API says so', async () => {
    const body = {
      type: 'about:blank',
      title: 'Busy',
      status: 503,
      detail: 'Storage is away.',
      code: 'unavailable',
    }
    const fetch = async () => Response.json(body, { status: 503, headers: { 'Retry-After': '7' } })
    await expect(apiWith({ fetch }).devices()).rejects.toThrow('Storage is away. Try again in 7 s.')
  })

  it.each([
    ['a page of HTML', new Response('<html></html>')],
    ['rows of another shape', Response.json({ data: [{ id: 1 }], next_cursor: null })],
    ['an error that is no problem document', new Response('Bad gateway', { status: 502 })],
  ])('rejects with unexpected_answer for %s', async (_name, answer) => {
    const fetch = async () => answer
    await expect(apiWith({ fetch }).devices()).rejects.toMatchObject({ code: 'unexpected_answer' })
  })

  it('rejects with unreachable when there is no answer', async () => {
    const fetch = async () => Promise.reject(new TypeError('fetch failed'))
    await expect(apiWith({ fetch }).devices()).rejects.toMatchObject({ code: 'unreachable' })
  })
})

function apiWith(options: Partial<ApiOptions>) {
  const { answer } = createFixtureApi(now)
  return createApi({
    baseUrl: 'https://api.example',
    key: FIXTURE_KEY,
    fetch: async (request) => answer(request),
    onKeyRefused: () => {},
    ...options,
  })
}
