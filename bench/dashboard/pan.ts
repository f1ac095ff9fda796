// Script time of one frame while 30 days of a metric are moved along, in a real browser ÷ the time between two
// frames at 60 Hz. Prints a JSON object; `bench.ts` runs it in a process of its own.
import type { CDPSession, Page } from 'playwright-core'
import { createFixtureApi, FIXTURE_KEY } from '../../dashboard/testing/fixture-api.ts'
import { startFixtureServer } from '../../dashboard/testing/fixture-server.ts'
import { launchChromium } from '../../e2e/chromium.ts'
import { medianOf, rounded } from '../statistics.ts'

const FRAME_MS = 1000 / 60
const FRAMES = 120
const ROUNDS = 5
const METRIC = '#/devices/device-7/metrics/device-7.temperature?range=30d'

/** One event of a sideways wheel a frame, to and fro, each of which draws both charts again. */
const PAN = `new Promise((resolve) => {
  const over = document.querySelector('.plot-value .u-over')
  let frame = 0
  const step = () => {
    if (frame === ${FRAMES}) return resolve()
    over.dispatchEvent(new WheelEvent('wheel', { deltaX: frame % 40 < 20 ? 12 : -12, cancelable: true }))
    frame += 1
    requestAnimationFrame(step)
  }
  step()
})`

const api = createFixtureApi(Date.now())
const server = await startFixtureServer((request) => api.answer(request))
const browser = await launchChromium()
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  const windows = await openMetric(page)
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable')
  await page.evaluate(PAN) // compiles what is hot
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await scriptMsOfPan(page, session))
  const scriptMs = medianOf(rounds) / FRAMES
  console.log(
    JSON.stringify({
      ...{ name: 'dashboard_pan', ratio: rounded(scriptMs / FRAME_MS) },
      ...{ script_ms_per_frame: rounded(scriptMs), windows },
    }),
  )
} finally {
  await browser.close()
  await server.stop()
}

/** Opens 30 days and zooms in once, so that there is room to move; gives the number of windows drawn. */
async function openMetric(page: Page): Promise<number> {
  await page.goto(`${server.url}${METRIC}`)
  await page.getByLabel('API key').fill(FIXTURE_KEY)
  await page.getByRole('button', { name: 'Open' }).click()
  await page.locator('.plot-value canvas').waitFor()
  await page.getByRole('button', { name: 'Zoom in' }).click()
  const label = await page.locator('.plot-value').getAttribute('aria-label')
  return Number(/([\d,.]+) windows/.exec(label ?? '')?.[1]?.replaceAll(/\D/g, ''))
}

async function scriptMsOfPan(page: Page, session: CDPSession): Promise<number> {
  const before = await scriptSeconds(session)
  await page.evaluate(PAN)
  return ((await scriptSeconds(session)) - before) * 1000
}

async function scriptSeconds(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics')
  return metrics.find(({ name }) => name === 'ScriptDuration')!.value
}
