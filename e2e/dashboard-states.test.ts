import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFixtureApi, EMPTY_KEY, FIXTURE_KEY, HOSTILE_NAME } from '../dashboard/testing/fixture-api.ts'
import { READY_IN_MS } from '../dashboard/testing/fixture-data.ts'
import { startFixtureServer } from '../dashboard/testing/fixture-server.ts'
import { launchChromium } from './chromium.ts'
import { type Visit, visit } from './dashboard-visit.ts'

/* The dashboard over made-up answers: what a healthy stack with little data never shows. */

let startedAt = Date.now()
let api = createFixtureApi(startedAt)
let server: Awaited<ReturnType<typeof startFixtureServer>>
let browser: Browser
let reader: Visit
let page: Page

beforeAll(async () => {
  server = await startFixtureServer((request) => api.answer(request))
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

beforeEach(async () => {
  startedAt = Date.now()
  api = createFixtureApi(startedAt)
  reader = await visit(browser, server.url)
  page = reader.page
})

afterEach(() => reader.end())

describe('the dashboard', () => {
  it('says so when a key is wrong and keeps nothing of it', async () => {
    await reader.enterKey('epk_wrong')
    await page.getByText('This key is not valid, or has been revoked.').waitFor()
    expect(await page.evaluate('sessionStorage.length + localStorage.length')).toBe(0)
  })

  it('forgets the key at sign-out', async () => {
    await reader.enterKey(FIXTURE_KEY)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('API key').waitFor()
    expect(await page.evaluate('sessionStorage.length + localStorage.length')).toBe(0)
  })

  it('shows a ready-made command to a tenant that has sent nothing', async () => {
    await reader.enterKey(EMPTY_KEY)
    const command = page.locator('pre')
    for (const hash of ['#/', '#/devices', '#/usage']) {
      await reader.go(hash)
      expect(await command.innerText()).toContain(`curl -X POST '${new URL(server.url).origin}/v1/ingest'`)
    }
    await reader.go('#/webhooks')
    expect(await command.innerText()).toContain('/v1/webhooks')
    await reader.go('#/alerts')
    expect(await command.innerText()).toContain('/v1/alert-rules')
    expect(await reader.violations()).toEqual([])
  })

  it('pages and searches through 10,000 devices', async () => {
    await reader.enterKey(FIXTURE_KEY)
    await reader.go('#/devices')
    await page.getByRole('button', { name: 'Show more' }).click()
    await page.getByRole('link', { name: 'pump-100', exact: true }).waitFor()
    await page.getByLabel('Search devices').fill('pump-9876')
    await page.getByRole('link', { name: 'pump-100', exact: true }).waitFor({ state: 'detached' })
    expect(await page.getByRole('table', { name: 'Devices' }).getByRole('link').count()).toBe(1)
    await page.reload()
    expect(await page.getByLabel('Search devices').inputValue()).toBe('pump-9876')
    await page.getByLabel('Search devices').fill('nobody')
    await page.getByText('No device has “nobody” in its name.').waitFor()
  })

  it('takes a hostile device name for what it is: text', async () => {
    await reader.enterKey(FIXTURE_KEY)
    await reader.go('#/devices')
    await page.getByRole('link', { name: HOSTILE_NAME, exact: true }).click()
    await page.getByRole('heading', { level: 1, name: HOSTILE_NAME }).waitFor()
    expect(await page.title()).toContain(HOSTILE_NAME)
  })

  it('says that a metric is still learning, and until when by the reader’s clock', async () => {
    await openMetric('vibration')
    const note = page.getByText('This metric is still learning what is normal')
    const until = await page.evaluate(
      (at) => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }).format(at),
      startedAt + READY_IN_MS,
    )
    await note.waitFor()
    expect(await note.innerText()).toContain(`Learning until about ${until}, if data keep coming.`)
    expect(await page.locator('.facts').innerText()).toContain(`learning until ${until}`)
    await reader.go('#/devices/device-7')
    const row = page.getByRole('row').filter({ hasText: 'vibration' })
    expect(await row.innerText()).toContain(`learning until ${until}`)
  })

  it('names no time for a metric that stopped sending while it was learning', async () => {
    await openMetric('flow')
    const note = page.getByText('This metric is still learning what is normal')
    await note.waitFor()
    expect(await note.innerText()).toContain('It goes on with the next data.')
    expect(await page.locator('.facts').innerText()).not.toContain('until')
  })

  it('draws a metric that has a single window', async () => {
    await openMetric('flow')
    await page.locator('.plot-value canvas').waitFor()
    await page.getByText('One window as a table').waitFor()
  })

  it('says that there is nothing in a time, and leads to where there is', async () => {
    await openMetric('mode')
    await page.getByText('There is no window in the last 7 days.').waitFor()
  })

  it('shows a time of the reader’s choice', async () => {
    await openMetric('temperature')
    await page.getByRole('button', { name: 'Custom…' }).click()
    await page.getByLabel('From', { exact: true }).fill('2031-01-01T00:00')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.getByText('Must be before the end.').waitFor()
    await page.getByLabel('To', { exact: true }).fill('2031-01-02T00:00')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.waitForURL(/span=2031/)
    await page.getByText('There is no window in the time chosen.').waitFor()
  })

  it('moves the charts with a sideways wheel, and leaves the wheel itself to the page', async () => {
    await openMetric('temperature')
    await page.getByRole('button', { name: 'Zoom in' }).click()
    await page.waitForURL(/zoom=/)
    const before = page.url()
    await page.locator('.plot-value .u-over').hover()
    await page.mouse.wheel(-200, 0)
    await page.waitForURL((there) => there.href !== before && there.hash.includes('zoom='))
    await page.mouse.wheel(0, 300)
    await expect.poll(() => page.evaluate('scrollY')).toBeGreaterThan(0)
  })

  it('opens in a browser whose locale is no language tag', async () => {
    await page.addInitScript(
      `Object.defineProperty(navigator, 'language', { value: 'en-US@posix', configurable: true })`,
    )
    await openMetric('temperature')
    await page.locator('.plot-value canvas').waitFor()
  })

  it('offers to try again after a fault', async () => {
    await reader.enterKey(FIXTURE_KEY)
    await page.route('**/v1/devices?**', (route) => route.abort(), { times: 1 })
    await page.getByRole('link', { name: 'Devices', exact: true }).click()
    await page.getByText('The API cannot be reached.').waitFor()
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('link', { name: 'pump-7', exact: true }).waitFor()
  })

  it('asks again every half a minute by itself', async () => {
    await page.clock.install()
    await reader.enterKey(FIXTURE_KEY)
    api.revoke(FIXTURE_KEY)
    await page.clock.fastForward(15_000)
    expect(await page.getByLabel('API key').count()).toBe(0)
    await page.clock.fastForward(16_000)
    await page.getByText('This key is not valid, or has been revoked.').waitFor()
  })

  it('goes back to the key form when the key is revoked', async () => {
    await reader.enterKey(FIXTURE_KEY)
    api.revoke(FIXTURE_KEY)
    await page.getByRole('link', { name: 'Devices', exact: true }).click()
    await page.getByText('This key is not valid, or has been revoked.').waitFor()
  })
})

const openMetric = async (name: string) => {
  await reader.enterKey(FIXTURE_KEY)
  await reader.go(`#/devices/device-7/metrics/device-7.${name}`)
}
