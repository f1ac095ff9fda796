import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

let place: Place
let dev: Run
let url: string
let browser: Browser
let page: Page
const faults: string[] = []

beforeAll(async () => {
  place = await makePlace()
  dev = run('dev', place)
  url = (await untilReady(dev, place)).url
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await end(dev, place)
})

beforeEach(async () => {
  faults.length = 0
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  page.setDefaultTimeout(15_000)
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`asked for ${request.url()}`)
  })
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
})

afterEach(async () => {
  await page.close()
  expect(faults).toEqual([])
})

describe('/v1/docs', () => {
  it('shows the calls of the API, from its own origin alone', async () => {
    await page.goto(new URL('/v1/docs', url).href)
    await page.getByRole('heading', { name: 'EdgePulse', level: 1 }).waitFor()
    await page.getByRole('link', { name: /Send a batch of datapoints/ }).click()
    await page.getByRole('heading', { name: 'Send a batch of datapoints' }).first().waitFor()
    await page.getByText('gw7-000123').first().waitFor()
  })

  it('sends a request that is tried out to the service', async () => {
    await page.goto(new URL('/v1/docs#tag/service/GET/v1/health', url).href)
    await page.getByRole('button', { name: 'Test Request (get /v1/health)' }).click()
    await page.getByRole('button', { name: /^Send Request/ }).click()
    await page.getByText('200 OK').waitFor()
  })
})
