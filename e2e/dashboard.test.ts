import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFixtureApi, EMPTY_KEY, FIXTURE_KEY, HOSTILE_NAME } from '../dashboard/testing/fixture-api.ts'
import { startFixtureServer } from '../dashboard/testing/fixture-server.ts'
import { launchChromium } from './chromium.ts'

/**
 * The dashboard in a real browser. With DASHBOARD_URL and DASHBOARD_KEY it runs against that stack, and
 * DASHBOARD_DEVICE and DASHBOARD_METRIC name what to open there; otherwise against made-up answers.
 */
const real = process.env['DASHBOARD_URL']
const key = real ? process.env['DASHBOARD_KEY']! : FIXTURE_KEY
const deviceName = real ? process.env['DASHBOARD_DEVICE'] : 'pump-7'
const metricName = real ? process.env['DASHBOARD_METRIC'] : 'temperature'

const PHONE = { width: 390, height: 844 }
const DESKTOP = { width: 1440, height: 900 }

let api = createFixtureApi(Date.now())
let url = real ?? ''
let server: Awaited<ReturnType<typeof startFixtureServer>> | undefined
let browser: Browser
let page: Page
const faults: string[] = []

beforeAll(async () => {
  if (!real) {
    server = await startFixtureServer((request) => api.answer(request))
    url = server.url
  }
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

beforeEach(async () => {
  api = createFixtureApi(Date.now())
  faults.length = 0
  page = await browser.newPage({ viewport: DESKTOP })
  page.setDefaultTimeout(15_000)
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`asked for ${request.url()}`)
  })
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(message.text())
  })
})

afterEach(async () => {
  await page.close()
  expect(faults).toEqual([])
})

describe('the dashboard', () => {
  it('leads from the key to an anomaly on the chart and in the table', async () => {
    await openMetric()
    await page.locator('.plot-value canvas').waitFor()
    await page.locator('.plot-score canvas').waitFor()
    const table = page.getByRole('table', { name: 'Anomalous windows, newest first' })
    await table.getByRole('row').nth(1).waitFor()
    expect(await table.getByRole('columnheader').allTextContents()).toEqual([
      'Window',
      'Score',
      'State',
      'Reasons',
      expect.stringMatching(/^Expected/),
    ])
    expect(Number.parseFloat(await table.locator('.anomalous').first().innerText())).toBeGreaterThanOrEqual(1)
  })

  it('shows the same page again when a deep link is reloaded', async () => {
    await openMetric()
    const title = await page.getByRole('heading', { level: 1 }).innerText()
    await page.reload()
    await page.locator('.plot-value canvas').waitFor()
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(title)
    expect(await page.locator('a[aria-current]').innerText()).toBe('30 days')
  })

  it('lists every window of the charts in a table', async () => {
    await openMetric()
    await page.locator('summary').click()
    await page.getByRole('table', { name: 'Windows, newest first' }).getByRole('row').nth(1).waitFor()
  })

  it('says so when a key is wrong and keeps nothing of it', async () => {
    await enterKey('epk_wrong')
    await page.getByText('This key is not valid, or has been revoked.').waitFor()
    expect(await page.evaluate('sessionStorage.length + localStorage.length')).toBe(0)
  })

  it('forgets the key at sign-out', async () => {
    await enterKey(key)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('API key').waitFor()
    expect(await page.evaluate('sessionStorage.length + localStorage.length')).toBe(0)
  })

  it('fits a phone on every page', async () => {
    await page.setViewportSize(PHONE)
    await enterKey(key)
    await page.getByRole('table', { name: 'Devices' }).waitFor()
    expect(await overflow()).toBe(0)
    await tableLink('Devices', deviceName).click()
    await page.getByRole('table', { name: 'Metrics' }).waitFor()
    expect(await overflow()).toBe(0)
    await tableLink('Metrics', metricName).click()
    await page.locator('.plot-value canvas').waitFor()
    await page.locator('summary').click()
    expect(await overflow()).toBe(0)
  })
})

describe.runIf(!real)('the dashboard over made-up answers', () => {
  it('goes back to the key form when the key is revoked', async () => {
    await openMetric()
    api.revoke(key)
    await page.getByRole('link', { name: '7 days' }).click()
    await page.getByText('This key is not valid, or has been revoked.').waitFor()
  })

  it('shows a ready-made command to a tenant that has sent nothing', async () => {
    await enterKey(EMPTY_KEY)
    expect(await page.locator('pre').innerText()).toContain(`curl -X POST '${new URL(url).origin}/v1/ingest'`)
  })

  it('takes a hostile device name for what it is: text', async () => {
    await enterKey(key)
    await tableLink('Devices', HOSTILE_NAME).click()
    await page.getByRole('heading', { level: 1, name: HOSTILE_NAME }).waitFor()
    expect(await page.title()).toContain(HOSTILE_NAME)
  })

  it('pages through the devices', async () => {
    await enterKey(key)
    await page.getByRole('button', { name: 'Show more' }).click()
    await page.getByRole('link', { name: 'pump-60', exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'Show more' }).count()).toBe(0)
  })

  it('says that a metric is still learning', async () => {
    await openMetric('vibration')
    await page.getByText('This metric is still learning what is normal').waitFor()
  })

  it('draws a metric that has a single window', async () => {
    await openMetric('flow')
    await page.getByText('One window as a table').waitFor()
  })

  it('opens in a browser whose locale is no language tag', async () => {
    await page.addInitScript(
      `Object.defineProperty(navigator, 'language', { value: 'en-US@posix', configurable: true })`,
    )
    await openMetric()
  })

  it('offers to try again after a fault', async () => {
    await enterKey(key)
    await page.route('**/v1/metrics?**', (route) => route.abort(), { times: 1 })
    await tableLink('Devices', deviceName).click()
    await page.getByText('The API cannot be reached.').waitFor()
    await page.getByRole('button', { name: 'Try again' }).click()
    await tableLink('Metrics', metricName).waitFor()
  })
})

async function enterKey(entered: string): Promise<void> {
  await page.goto(url)
  await page.getByLabel('API key').fill(entered)
  await page.getByRole('button', { name: 'Open' }).click()
  await page.getByRole('button', { name: 'Checking…' }).waitFor({ state: 'detached' })
}

async function openMetric(name = metricName): Promise<void> {
  await enterKey(key)
  await tableLink('Devices', deviceName).click()
  await tableLink('Metrics', name).click()
  await page.getByRole('link', { name: '30 days' }).click()
  await page.locator('a[aria-current]', { hasText: '30 days' }).waitFor()
  await page.locator('.plot-value canvas').waitFor()
}

/** The link in a table with this exact name; the first one when no name is known. */
function tableLink(table: string, name: string | undefined) {
  const links = page.getByRole('table', { name: table })
  return name === undefined ? links.getByRole('link').first() : links.getByRole('link', { name, exact: true })
}

const overflow = () =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
