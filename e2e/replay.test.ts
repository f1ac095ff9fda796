import { randomUUID } from 'node:crypto'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { DevFile } from '../local/dev-file.ts'
import { loadSecrets } from '../local/secrets.ts'
import { featuresOfValues } from '../telemetry/window-features.ts'
import { end, makePlace, type Place, processTree, type Run, run, untilReady } from './local-stack.ts'
import {
  makeTenant,
  type ReplayTenant,
  seal,
  sendFirst,
  sendSecond,
  TenantRows,
  WINDOW,
} from './replay-tenant.ts'

let place: Place
let dev: Run
let file: DevFile
let tenant: ReplayTenant
let rows: TenantRows
let before: Awaited<ReturnType<TenantRows['snapshot']>>
let windowsBefore: Window[]

/** All series send four windows and a bit of the next; the second window of this one is corrected. */
const CORRECTED = 'pump-7/temperature'
const SERIES = [CORRECTED, 'pump-7/current', 'hall/power.volts', 'boiler/pressure']

beforeAll(async () => {
  place = await makePlace()
  dev = run('dev', place)
  file = await untilReady(dev, place)
  tenant = await makeTenant(file, 'lost and found')
  rows = new TenantRows(file, tenant)
  await sendFirst(tenant)
  await until(async () => expect(await readWindows()).toHaveLength(3 * 4))
  await seal(file, tenant)
  await sendSecond(tenant)
  // The late reading and the correction each come as a part; the correction's window is then computed again.
  await until(async () => expect(await rows.countedByParts()).toBe(4 * 120 + 2))
  await until(async () => expect(await rows.count('corrected_windows')).toBe(0))
  await until(async () => expect(await rows.count('due_metrics')).toBe(0))
  await until(async () => expect(await rows.count('batches')).toBe(6))
  await seal(file, tenant)
  before = await rows.snapshot()
  windowsBefore = await readWindows()
})
afterAll(async () => {
  await rows.pool.end()
  await end(dev, place)
})

const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 30_000, interval: 200 })

const Window = v.looseObject({
  series: v.optional(v.string()),
  window_start: v.string(),
  count: v.number(),
  mean: v.number(),
})
type Window = v.InferOutput<typeof Window>
const Metric = v.object({ id: v.string(), device: v.string(), name: v.string() })

const listMetrics = async () =>
  (await tenant.api.list('/v1/metrics', Metric)).map(({ id, device, name }) => ({
    id,
    name: `${device}/${name}`,
  }))

/** The tenant's windows as the API tells them, to nine digits: moments depend on the order of addition. */
async function readWindows(): Promise<Window[]> {
  const all: Window[] = []
  for (const { id, name } of (await listMetrics()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const range = `from=${tenant.base}&to=${tenant.base + 10 * WINDOW}`
    const windows = await tenant.api.list(`/v1/metrics/${id}/windows?${range}`, Window)
    for (const window of windows) all.push({ series: name, ...rounded(window) })
  }
  return all
}

const rounded = <T extends object>(window: T): T =>
  Object.assign(
    structuredClone(window),
    Object.fromEntries(
      Object.entries(window)
        .filter(([, value]) => typeof value === 'number')
        .map(([name, value]) => [name, Number(value.toPrecision(9))]),
    ),
  )

/** A window computed here, from the datapoints that the API gives. */
async function windowOf(name: string, start: number): Promise<object> {
  const { id } = (await listMetrics()).find((metric) => metric.name === name)!
  const path = `/v1/metrics/${id}/datapoints?from=${start}&to=${start + WINDOW}`
  const points = await tenant.api.list(path, v.tuple([v.string(), v.number()]))
  const { windowStart, windowEnd, ...statistics } = featuresOfValues(
    start,
    points.map(([, value]) => value),
  )
  const times = { window_start: new Date(windowStart), window_end: new Date(windowEnd) }
  return rounded({ series: name, ...JSON.parse(JSON.stringify({ ...times, ...statistics })) })
}

/** What was read before, but for the window that a correction made wrong: that one as its datapoints tell it. */
async function expectWindowsAsBefore(): Promise<void> {
  const start = tenant.base + WINDOW
  const corrected = { series: CORRECTED, window_start: new Date(start).toISOString() }
  const isCorrected = ({ series, window_start }: Window) =>
    series === corrected.series && window_start === corrected.window_start
  const windows = await readWindows()
  expect(windows.filter((window) => !isCorrected(window))).toEqual(
    windowsBefore.filter((window) => !isCorrected(window)),
  )
  expect(windows.find(isCorrected)).toEqual(await windowOf(CORRECTED, start))
}

async function replay(...args: string[]): Promise<{ code: number | null; output: string }> {
  const command = run('ml', place, ['replay', ...args])
  const code = await command.exited
  return { code, output: command.output() }
}

async function putObject(key: string, body: string): Promise<void> {
  const secrets = loadSecrets(place.stateDir, {})
  const client = new S3Client({
    ...{ region: 'auto', endpoint: `${file.url}/cdn-cgi/local/r2/s3`, forcePathStyle: true },
    credentials: { accessKeyId: secrets.S3_ACCESS_KEY_ID, secretAccessKey: secrets.S3_SECRET_ACCESS_KEY },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  await client.send(new PutObjectCommand({ Bucket: 'edgepulse-archive', Key: key, Body: body }))
  client.destroy()
}

describe('a correction', () => {
  it('shows in its window, as its datapoints tell it, before any replay', async () => {
    const start = tenant.base + WINDOW
    const isCorrected = ({ series, window_start }: Window) =>
      series === CORRECTED && window_start === new Date(start).toISOString()
    const corrected = windowsBefore.find(isCorrected)
    expect(corrected).toMatchObject({ count: 30, max: 500 })
    expect(corrected).toEqual(await windowOf(CORRECTED, start))
  })
})

describe('ml replay', () => {
  it('changes nothing of what is there', async () => {
    const writes = await rows.writes()
    const { code, output } = await replay('--tenant', tenant.name)
    expect(output).toContain(
      '6 batches with 522 datapoints replayed, 0 damaged; 0 windows rebuilt; 0 objects',
    )
    expect(code).toBe(0)
    expect(await rows.writes()).toEqual(writes)
    expect(await rows.snapshot()).toEqual(before)
    await expectWindowsAsBefore()
  })

  it('restores a database that was lost, row for row, and windows as they were read', async () => {
    expect((await listMetrics()).map(({ name }) => name).sort()).toEqual(SERIES.toSorted())
    await rows.dropAll(file)
    expect(await replay('--tenant', tenant.name)).toMatchObject({ code: 2 }) // the name is lost as well
    const { code, output } = await replay('--tenant', tenant.id)
    expect(output).toContain(
      '6 batches with 522 datapoints replayed, 0 damaged; 16 windows rebuilt; 0 objects',
    )
    expect(code).toBe(0)
    expect(await rows.snapshot()).toEqual(before)
    await expectWindowsAsBefore()
  })

  it('marks what it rebuilt for scoring', async () => {
    const scored = () => rows.count('anomaly_scores')
    await expect.poll(scored, { timeout: 60_000, interval: 200 }).toBe(SERIES.length * 4)
  })

  it('writes nothing when it runs again', async () => {
    const writes = await rows.writes()
    expect(await replay('--tenant', tenant.id)).toMatchObject({ code: 0 })
    expect(await rows.writes()).toEqual(writes)
  })

  it('goes on where it was killed', async () => {
    await rows.dropAll(file)
    await rows.pool.query('insert into tenants (id, name) values ($1, $2)', [tenant.id, tenant.name])
    // Somebody else writes a batch of the last manifest, and does not end before the replay is killed.
    await rows.whileInserting('late', async () => {
      const halfway = run('ml', place, ['replay', '--tenant', tenant.name])
      await expect.poll(() => rows.count('replayed_manifests'), { timeout: 30_000 }).toBeGreaterThan(0)
      for (const { pid } of processTree(halfway.child.pid!).reverse()) process.kill(pid, 'SIGKILL')
      await halfway.exited
    })
    const { code, output } = await replay('--tenant', tenant.name)
    expect(Number(/(\d+) batches with/.exec(output)?.[1])).toBeLessThan(6)
    expect(output).toContain('16 windows rebuilt')
    expect(code).toBe(0)
    expect(await rows.snapshot()).toEqual(before)
    await expectWindowsAsBefore()
    expect(await rows.count('replayed_manifests')).toBe(0)
  })

  it('lets later datapoints into the windows it rebuilt', async () => {
    const [ts, value] = [tenant.base + 7_000, -40]
    const series = [{ device: 'hall', metric: 'power.volts', points: [[ts, value]] }]
    await tenant.api.send('/v1/ingest', { method: 'POST', body: { batch_id: 'later', series } })
    const first = async () => (await readWindows()).find(({ series: name }) => name === 'hall/power.volts')
    await expect.poll(first, { timeout: 30_000, interval: 200 }).toMatchObject({ count: 31, min: value })
    expect(await first()).toEqual(await windowOf('hall/power.volts', tenant.base))
  })

  it('reports what no manifest names and what was tampered with, and loads all the rest', async () => {
    await seal(file, tenant)
    const orphan = `orphan-${randomUUID()}`
    await putObject(`raw/${tenant.id}/${orphan}`, '{}')
    await putObject(`raw/${tenant.id}/json:2`, '{"series":[]}')
    await rows.dropAll(file)
    const { code, output } = await replay('--tenant', tenant.id)
    expect(code).toBe(1)
    const reports = output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
    expect(reports).toContainEqual(
      expect.objectContaining({
        level: 'error',
        batch_id: 'json:2',
        reason: expect.stringContaining('other content'),
      }),
    )
    expect(reports).toContainEqual(
      expect.objectContaining({ level: 'warn', r2_key: `raw/${tenant.id}/${orphan}` }),
    )
    expect(output).toContain('6 batches with 453 datapoints replayed, 1 damaged;')
    const { batches } = await rows.snapshot()
    const ids = v.parse(v.array(v.object({ batch_id: v.string() })), batches)
    expect(ids.map(({ batch_id }) => batch_id)).not.toContain('json:2')
    expect(ids).toHaveLength(6)
  })
})
