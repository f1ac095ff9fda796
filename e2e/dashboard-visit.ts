import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import * as v from 'valibot'
import { expect } from 'vitest'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const PHONE = { width: 390, height: 844 }
export const DESKTOP = { width: 1440, height: 900 }

const violationsSchema = v.array(v.object({ id: v.string(), targets: v.string() }))

/** A reader of the dashboard, with all that must never happen while they read. */
export interface Visit {
  page: Page
  /** Opens the dashboard and hands it a key. */
  enterKey(key: string): Promise<void>
  /** Goes to a place within the dashboard. */
  go(hash: string): Promise<void>
  /** What axe finds wrong with what is shown now. */
  violations(): Promise<unknown[]>
  /** By how much the page is wider than the screen. */
  overflow(): Promise<number>
  /** Faults of scripts, requests to elsewhere, breaches of the policy. */
  end(): Promise<void>
}

export async function visit(browser: Browser, url: string, size = DESKTOP): Promise<Visit> {
  const page = await browser.newPage({ viewport: size })
  page.setDefaultTimeout(15_000)
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`asked for ${request.url()}`)
  })
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(message.text())
  })
  return {
    page,
    enterKey: async (key) => {
      await page.goto(url)
      await page.getByLabel('API key').fill(key)
      await page.getByRole('button', { name: 'Open' }).click()
      await page.getByRole('button', { name: 'Checking…' }).waitFor({ state: 'detached' })
      await settled(page)
    },
    go: async (hash) => {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
      await settled(page)
    },
    violations: () => violationsOf(page),
    overflow: () =>
      page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
    end: async () => {
      await page.close()
      expect(faults).toEqual([])
    },
  }
}

/** Waits until nothing on the page is still loading. */
export async function settled(page: Page): Promise<void> {
  await page.waitForLoadState('networkidle')
  await page.getByText('Loading…').first().waitFor({ state: 'detached' })
}

async function violationsOf(page: Page): Promise<unknown[]> {
  // Evaluated, and not added as a script: the page's own policy would refuse it.
  await page.evaluate(axeSource)
  const found =
    await page.evaluate(`axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) =>
    ({ id, targets: nodes.map(({ target, failureSummary }) => target + ' ' + failureSummary).join(' | ') })))`)
  return v.parse(violationsSchema, found)
}
