import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import type { Browser } from 'playwright-core'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readDemoSeries } from '../local/demo/demo-series.ts'
import { type DemoState, readDemoState } from '../local/demo/demo-state.ts'
import { sayPresence } from '../ml-service/testing/seed-presence.ts'
import { launchChromium } from './chromium.ts'
import { DESKTOP, PHONE, settled, type Visit, visit } from './dashboard-visit.ts'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

/* The dashboard in a real browser, over the stack that `npm start` runs and the data that its demo sends. */

let place: Place
let start: Run
let url: string
let adminToken: string
let databaseUrl: string
let demo: DemoState
let key: string
let keyId: string
let browser: Browser
let reader: Visit
let receiver: Server
const received: string[] = []

beforeAll(async () => {
  place = await makePlace()
  start = run('start', place)
  receiver = createServer((request, response) => {
    received.push(String(request.headers['webhook-id']))
    response.writeHead(received.length === 1 ? 500 : 204).end()
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  browser = await launchChromium()
  const stack = await untilReady(start, place)
  url = stack.dashboard_url
  adminToken = stack.admin_token
  databaseUrl = stack.database_url
  await vi.waitFor(() => expect(start.output()).toContain('Demo key'), { timeout: 180_000, interval: 200 })
  demo = readDemoState(place.stateDir)!
  const made = await admin('POST', 'keys', { scopes: ['read', 'manage'] })
  const body = (await made.json()) as { id: string; key: string }
  key = body.key
  keyId = body.id
  reader = await visit(browser, url)
  await reader.enterKey(key)
}, 240_000)

afterAll(async () => {
  await browser?.close()
  receiver?.close()
  await end(start, place)
})

/** As a shard would of a device, and rules as if they had been there all the time. */
async function sayOfRobot(said: { silentSince?: number }): Promise<void> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 })
  try {
    await pool.query(`update alert_rules set armed_at = 'epoch' where kind = 'silence'`)
    await sayPresence(pool, demo.tenant_id, { robot: said }, Date.now())
  } finally {
    await pool.end()
  }
}

const admin = (method: string, path: string, body?: unknown) =>
  fetch(`${url}admin/tenants/${demo.tenant_id}/${path}`, {
    method,
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })

const usageSchema = v.object({ data: v.array(v.object({ date: v.string(), datapoints: v.number() })) })

/** Datapoints of the UTC days before and of now: the test may run over midnight. */
async function lastTwoDays(): Promise<[number, number]> {
  const [yesterday, today] = [Date.now() - 86_400_000, Date.now()].map((time) =>
    new Date(time).toISOString().slice(0, 10),
  )
  const answer = await fetch(`${url}v1/usage?from=${yesterday}&to=${today}`, {
    headers: { authorization: `Bearer ${key}` },
  })
  const { data } = v.parse(usageSchema, await answer.json())
  const datapointsOf = (day?: string) => data.find(({ date }) => date === day)?.datapoints ?? 0
  return [datapointsOf(yesterday), datapointsOf(today)]
}

describe('the dashboard over the demo', () => {
  it('shows on its first page what arrived, what is open and what was most unusual, with a line and a reason', async () => {
    const { page } = reader
    const tile = page.locator('.tile', { hasText: 'Datapoints today' })
    await vi.waitFor(
      async () => {
        const [yesterday, today] = await lastTwoDays()
        expect(yesterday + today).toBeGreaterThan(1000)
        expect(await tile.locator('.figure').innerText()).toBe(today.toLocaleString('en'))
      },
      { timeout: 60_000, interval: 500 },
    )
    const top = page.locator('.top-anomalies li').first()
    expect(await top.innerText()).toMatch(/machine-1|ingress/)
    expect(await top.locator('.top-reason').innerText()).toMatch(/\d.* [a-z]+ /) // figures, in words
    await top.locator('svg.sparkline .mark').waitFor({ state: 'attached' })
  })

  it('finds a device by a piece of its name and shows its labelled failure on the chart and in the table', async () => {
    const { page } = reader
    await page.getByRole('link', { name: 'Devices', exact: true }).click()
    await page.getByLabel('Search devices').fill('CHINE')
    await page.getByRole('link', { name: 'ingress-01' }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'machine-1' }).click()
    await page.getByRole('link', { name: 'temperature' }).click()
    await page.locator('.plot-value canvas').waitFor()
    const failure = readDemoSeries(demo.anchor)
      .find(({ device }) => device === 'machine-1')!
      .labels.at(-1)!
    const table = page.getByRole('table', { name: 'Anomalous windows, newest first' })
    const times = await table.locator('tbody th time').evaluateAll((all) => all.map((time) => time.dateTime))
    const within = times.filter((time) => Date.parse(time) >= failure.from && Date.parse(time) <= failure.to)
    expect(within.length).toBeGreaterThan(0)
    expect(await pixelsOf('.plot-value canvas', '--chart-anomalous')).toBeGreaterThan(0)
    expect(await pixelsOf('.plot-value canvas', '--chart-alert')).toBeGreaterThan(0)
  })

  it('keeps what is zoomed to in the link, over both charts', async () => {
    const { page } = reader
    await drag(0.5, 0.8)
    await page.waitForURL(/zoom=/)
    const zoomed = new URL(page.url()).hash
    await page.reload()
    await page.locator('.plot-value canvas').waitFor()
    expect(new URL(page.url()).hash).toBe(zoomed)
    await page.getByRole('button', { name: 'Later' }).click()
    await page.waitForURL((there) => there.hash !== zoomed && there.hash.includes('zoom='))
    await page.getByRole('button', { name: 'Show all' }).click()
    await page.waitForURL((there) => !there.hash.includes('zoom='))
  })

  it('lists the windows of the charts in a table, and saves them', async () => {
    const { page } = reader
    await page.locator('summary').click()
    await page.getByRole('table', { name: 'Windows, newest first', exact: true }).waitFor()
    await page.waitForURL(/table=1/)
    const saving = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download CSV' }).click()
    const file = await saving
    expect(file.suggestedFilename()).toBe('machine-1-temperature.csv')
    const text = await streamText(await file.createReadStream())
    expect(text.charCodeAt(0)).toBe(0xfeff) // which trim() takes for a space
    const lines = text.trim().split('\r\n')
    expect(lines[0]).toMatch(/^window_start,window_end,count,mean,std,median,/)
    expect(lines.length).toBeGreaterThan(1500)
    expect(lines.at(-1)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z,/)
  })

  it('makes a rule, after saying how often it would have fired', async () => {
    const { page } = reader
    await page.getByRole('link', { name: 'New rule' }).click()
    await page.getByText(/It would have fired [1-9]\d* times?/).waitFor()
    await page.getByLabel('Threshold').fill('1000')
    await page.getByText('It would have fired 0 times').waitFor()
    await page.getByLabel('Threshold').fill('1.25')
    await page.getByText('Direction and least deviation').click()
    await page.getByLabel('Least deviation (%)').fill('1000000')
    await page.getByText('It would have fired 0 times').waitFor()
    await page.getByLabel('Least deviation (%)').fill('1')
    await page.getByLabel('Direction', { exact: true }).selectOption({ label: 'Below what was expected' })
    await page.getByText(/It would have fired [1-9]\d* times?/).waitFor()
    await page.getByLabel('Name').fill('machine runs hot')
    await page.getByRole('button', { name: 'Create rule' }).click()
    const row = page.getByRole('table', { name: 'Rules' }).getByRole('row', { name: /machine runs hot/ })
    expect(await row.innerText()).toMatch(
      /machine-1.*temperature[\s\S]*at 1\.25 or more, below by 1% or more/,
    )
    await page.getByRole('table', { name: /alerts?, newest first/ }).waitFor()
  })

  it('makes a rule of silence on one device, shows what it tells of, and lets it watch all of them', async () => {
    const { page } = reader
    await sayOfRobot({})
    await page.getByRole('link', { name: 'New rule' }).click()
    await page.getByRole('radio', { name: 'a device falls silent' }).check()
    await page.getByLabel('Name').fill('machine is gone')
    await page.getByLabel('Times the usual').fill('1')
    await page.getByRole('button', { name: 'Create rule' }).click() // refused by the browser
    await page.getByLabel('Times the usual').fill('2')
    await page.getByLabel('At least (minutes)').fill('1')
    await page.getByRole('radio', { name: 'one device' }).check()
    await page.getByRole('button', { name: 'Create rule' }).click() // refused too: none is picked
    await page.getByLabel('Search devices').fill('ROB')
    await page.getByRole('button', { name: 'machine-1', exact: true }).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'robot', exact: true }).click()
    await page.getByRole('button', { name: 'Create rule' }).click()
    const row = page.getByRole('table', { name: 'Rules' }).getByRole('row', { name: /machine is gone/ })
    expect(await row.innerText()).toMatch(/robot[\s\S]*after 2 times the usual, 1 min at least/)
    await sayOfRobot({ silentSince: Date.now() - 300_000 })
    const alerts = page.getByRole('table', { name: /alerts?, newest first/ })
    await expect
      .poll(
        async () => {
          await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`) // a look at the page again
          await settled(page)
          return alerts.innerText()
        },
        { timeout: 60_000, interval: 500 },
      )
      .toMatch(/robot[\s\S]*silent from/)
    await page.getByRole('link', { name: 'machine is gone' }).first().click()
    await page.getByText('one device: robot').waitFor()
    await page.getByRole('radio', { name: 'all devices' }).check()
    await page.getByLabel('At least (minutes)').fill('2')
    await page.getByRole('button', { name: 'Save' }).click()
    expect(await row.innerText()).toMatch(/all devices[\s\S]*2 min at least/)
    await page.getByRole('link', { name: 'machine is gone' }).first().click()
    await page.getByRole('radio', { name: 'all devices', checked: true }).waitFor()
  })

  it('makes a webhook, sees its first delivery fail, and sends it again', async () => {
    const { page } = reader
    const { port } = receiver.address() as AddressInfo
    await page.getByRole('link', { name: 'Webhooks' }).click()
    await page.getByLabel('New webhook').fill('https://user:secret@example.com')
    await page.getByRole('button', { name: 'Add' }).click()
    await page.locator('.hint.error').waitFor()
    await page.getByLabel('New webhook').fill(`http://127.0.0.1:${port}/hook`)
    await page.getByRole('button', { name: 'Add' }).click()
    expect(await page.locator('.secret code').innerText()).toMatch(/^whsec_/)
    await page.getByRole('link', { name: `http://127.0.0.1:${port}/hook` }).click()
    await page.getByRole('button', { name: 'Send a test' }).click()
    const table = page.getByRole('table', { name: 'Deliveries, newest first' })
    await table.getByText('500', { exact: true }).waitFor()
    await table.getByRole('button', { name: 'Send again webhook.test' }).click()
    await table.getByText('delivered').waitFor()
    expect(await table.innerText()).toContain('2 attempts')
    expect(new Set(received).size).toBe(1)
    await page.getByRole('button', { name: 'Rotate secret' }).click()
    await page.getByRole('button', { name: 'Really make a new secret?' }).click()
    await page.getByText('The old one signs along for 24 hours.').waitFor()
  })

  it('says what became of a batch, and that it knows nothing of another', async () => {
    const { page } = reader
    await page.getByRole('link', { name: 'Batches' }).click()
    await page.getByLabel('Batch id').fill('no-such-batch')
    await page.getByRole('button', { name: 'Look up' }).click()
    await page.getByText('There is nothing with this id').waitFor()
    const sent = await fetch(`${url}v1/ingest`, {
      method: 'POST',
      headers: { 'x-api-key': demo.key, 'content-type': 'application/json' },
      body: JSON.stringify({
        batch_id: 'seen:1',
        datapoints: [{ device: 'lamp', metric: 'power', ts: Date.now(), value: 7 }],
      }),
    })
    expect(sent.status).toBe(202)
    await page.getByLabel('Batch id').fill('seen:1')
    await page.getByRole('button', { name: 'Look up' }).click()
    await page.getByText('Its datapoints can be read.').waitFor()
  })

  it('has no fault that axe finds, and nothing wider than the screen, on any page in light and dark', async () => {
    const { page } = reader
    const metric = await metricHash()
    const pages = [
      ...['#/', '#/devices', `${metric.split('/metrics')[0]}`, metric, '#/usage', '#/batches?id=seen:1'],
      ...['#/alerts', '#/alerts/rules/new', await linkOn('#/alerts', 'machine is gone')],
      ...['#/webhooks', await linkOn('#/webhooks', 'http'), '#/nowhere'],
    ]
    const faults: unknown[] = []
    for (const hash of pages) {
      await reader.go(hash)
      for (const [colorScheme, size] of [
        ['light', DESKTOP],
        ['dark', PHONE],
      ] as const) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize(size)
        const found = await reader.violations()
        const overflow = await reader.overflow()
        if (found.length > 0 || overflow > 0) faults.push({ hash, colorScheme, found, overflow })
      }
      await page.setViewportSize(DESKTOP)
    }
    await page.emulateMedia({ colorScheme: 'light' })
    expect(faults).toEqual([])
  })

  it('can be used by keyboard alone', async () => {
    const { page } = reader
    await reader.go('#/devices')
    await page.getByLabel('Search devices').focus()
    await page.keyboard.type('machine')
    await page.getByRole('link', { name: 'ingress-01' }).waitFor({ state: 'detached' })
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'machine-1' }).waitFor()
    await reader.go(await metricHash())
    await page.getByRole('button', { name: 'Zoom in' }).focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('ArrowLeft')
    await page.waitForURL(/zoom=/)
  })

  it('says so when the key is revoked', async () => {
    const { page } = reader
    expect((await admin('DELETE', `keys/${keyId}`)).status).toBe(204)
    await page.getByRole('link', { name: 'Usage' }).click()
    await page.getByText('This key is not valid, or has been revoked.').waitFor()
    expect(await page.evaluate('sessionStorage.length + localStorage.length')).toBe(0)
    await reader.end()
  })
})

const metricHash = async () => {
  await reader.go('#/devices?search=machine')
  const device = await linkOn(undefined, 'machine-1')
  return linkOn(device, 'temperature')
}

/** Where the first link goes whose text has `name` in it. */
async function linkOn(hash: string | undefined, name: string): Promise<string> {
  if (hash !== undefined) await reader.go(hash)
  const link = reader.page.locator('main').getByRole('link', { name }).first()
  return (await link.getAttribute('href'))!
}

/** Over the upper chart, from one share of its width to another. */
async function drag(from: number, to: number): Promise<void> {
  const { page } = reader
  await settled(page)
  const box = (await page.locator('.plot-value .u-over').boundingBox())!
  const y = box.y + box.height / 2
  await page.mouse.move(box.x + box.width * from, y)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * to, y, { steps: 5 })
  await page.mouse.up()
}

/** How many pixels of a canvas have the colour of a CSS variable. */
const pixelsOf = (canvas: string, variable: string) =>
  reader.page.evaluate<number>(`(() => {
    const canvas = document.querySelector('${canvas}')
    const probe = new OffscreenCanvas(1, 1).getContext('2d')
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('${variable}')
    probe.fillRect(0, 0, 1, 1)
    const wanted = probe.getImageData(0, 0, 1, 1).data
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    let count = 0
    for (let i = 0; i < data.length; i += 4) {
      if (data[i] === wanted[0] && data[i + 1] === wanted[1] && data[i + 2] === wanted[2]) count += 1
    }
    return count
  })()`)

async function streamText(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
