import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { afterAll, beforeAll, expect, it } from 'vitest'

/** Of HTML, scripts, styles and fonts until the overview stands, gzipped. */
const BUDGET_BYTES = 120_000

let dist: string
let html: string

beforeAll(async () => {
  dist = mkdtempSync(path.join(tmpdir(), 'edgepulse-first-load-'))
  await build({ root: import.meta.dirname, envDir: false, logLevel: 'warn', build: { outDir: dist } })
  html = readFileSync(path.join(dist, 'index.html'), 'utf8')
})

afterAll(() => rmSync(dist, { recursive: true, force: true }))

const named = () => [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file!)

it('the first load stays within its budget', () => {
  expect(named().length).toBeGreaterThanOrEqual(3)
  const files = ['index.html', ...named()].map((file) => readFileSync(path.join(dist, file)))
  const bytes = files.reduce((sum, file) => sum + gzipSync(file).length, 0)
  expect(bytes).toBeLessThan(BUDGET_BYTES)
})

it('nothing is loaded from elsewhere, nor anything more than the page names', () => {
  expect(named().filter((file) => !file.startsWith('/'))).toEqual([])
  const script = readFileSync(path.join(dist, named().find((file) => file.endsWith('.js'))!), 'utf8')
  expect(script).not.toMatch(/\bimport\(/)
  const styles = named().filter((file) => file.endsWith('.css'))
  for (const file of styles) expect(readFileSync(path.join(dist, file), 'utf8')).not.toMatch(/url\(|@import/)
})
