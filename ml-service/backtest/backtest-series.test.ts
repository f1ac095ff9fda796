import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, test } from 'vitest'
import { runCli } from '../testing/run-cli.ts'
import { addRule } from '../testing/seed-alerting.ts'
import { seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { labelledSpans } from './labelled-spans.ts'

const START = Date.UTC(2026, 0, 1)
const SPIKES = [300, 301, 500, 700]

let pool: pg.Pool
beforeAll(() => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 4 })
})
afterAll(() => pool.end())

const endOf = (i: number) => START + (i + 1) * WINDOW

async function seeded() {
  const tenant = await seedTenant(pool)
  const series = await tenant.series('pump', 'temperature')
  const change = (i: number, value: number) => (SPIKES.includes(i) ? value + 50 * (i / 100) : value)
  await tenant.write(series, steadyPoints(START, 1000, { change }))
  const env = { DATABASE_URL: inject('databaseUrl'), MODEL_DIR: tenant.modelDir }
  const target = ['--tenant', tenant.name, '--metric', 'pump/temperature']
  const backtest = (...args: string[]) => runCli(['backtest', ...target, ...args], env)
  const json = async (...args: string[]) => JSON.parse((await backtest(...args, '--format', 'json')).stdout)
  return { tenant, series, env, target, backtest, json }
}

function labelFile(labels: unknown): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgepulse-labels-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'labels.json')
  writeFileSync(file, JSON.stringify(labels))
  return file
}

describe('backtest', () => {
  it('raises at a threshold what the live rule raises there, and stores nothing', async () => {
    const { tenant, env, target, json } = await seeded()
    const before = await json()
    const stored = 'select count(*)::int as n from anomaly_scores where tenant_id = $1'
    expect((await pool.query(stored, [tenant.tenantId])).rows[0].n).toBe(0)
    for (const { threshold } of before.thresholds) await addRule(pool, tenant.tenantId, { threshold })
    expect((await runCli(['score', ...target], env)).code).toBe(0)
    const { rows } = await pool.query(
      `select r.threshold, count(e.id)::int as alerts from alert_rules r
       left join alert_events e on e.tenant_id = r.tenant_id and e.rule_id = r.id
       where r.tenant_id = $1 group by r.threshold order by 1`,
      [tenant.tenantId],
    )
    expect(rows).toEqual(
      before.thresholds.map(({ threshold, alerts }: Record<string, number>) => ({ threshold, alerts })),
    )
    expect(rows.find(({ threshold }) => threshold === 1).alerts).toBeGreaterThanOrEqual(2)
    expect(await json()).toEqual(before)
  })

  it('tells how many alerts a week a threshold gives', async () => {
    const { json } = await seeded()
    const { windows, windows_scored, from, to, thresholds, labels } = await json('--threshold', '2')
    expect([windows, thresholds.length, labels]).toEqual([1000, 1, null])
    const weeks = (Date.parse(to) - Date.parse(from)) / (7 * 86_400_000)
    expect([to, windows_scored]).toEqual([new Date(endOf(999)).toISOString(), weeks * 7 * 288])
    const [{ threshold, alerts, alerts_per_week }] = thresholds
    expect([threshold, alerts_per_week]).toEqual([2, alerts / weeks])
    expect(thresholds[0]).not.toHaveProperty('precision')
  })

  it('tells precision and recall against labels', async () => {
    const { json } = await seeded()
    const spike = [endOf(300) - 1000, endOf(301)]
    const nothing = { from: new Date(endOf(850)).toISOString(), to: new Date(endOf(855)).toISOString() }
    const learning = [START, START + WINDOW]
    const file = labelFile({ 'pump/temperature': [nothing, spike, learning] })
    const { labels, thresholds } = await json('--threshold', '3', '--labels', file)
    expect([labels, thresholds[0].recall]).toEqual([2, 0.5])
    expect(thresholds[0].precision).toBe(1 / thresholds[0].alerts)
  })

  it('prints a table for people', async () => {
    const { backtest } = await seeded()
    const { code, stdout } = await backtest()
    const [title, head, ...rows] = stdout.trim().split('\n')
    expect(title).toMatch(/^pump\/temperature: 1000 windows, \d+ scored, 2026-01-0\dT/)
    expect(head?.trim().split(/ {2,}/)).toEqual([
      'threshold',
      'anomalous windows',
      'alerts',
      'alerts per week',
    ])
    expect([code, rows.length]).toEqual([0, 8])
  })

  it.each([
    ['--labels', 'no-such-file.json'],
    ['--labels', 'package.json'],
    ['--threshold', '-1'],
    ['--format', 'csv'],
  ])('refuses %s %s with exit code 2', async (name, value) => {
    const { backtest } = await seeded()
    expect(await backtest(name, value)).toMatchObject({ code: 2, stdout: '' })
  })
})

const series = { tenantId: 't', metricId: 'id', device: 'pump', metric: 'temperature' }

test.each([
  ['an array of pairs', [[0, 5]]],
  ['an array of objects', [{ from: 0, to: 5 }]],
  ['an entry by name', { 'pump/temperature': [[0, 5]], other: [] }],
  ['an entry by id', { id: [[0, 5]] }],
  [
    'overlapping spans',
    [
      [3, 5],
      [0, 4],
      [1, 2],
    ],
  ],
  ['times without a zone', [['1970-01-01 00:00:00.000000', '1970-01-01T00:00:00.005Z']]],
])('labelledSpans() reads %s', (_, labels) => {
  expect(labelledSpans(JSON.stringify(labels), series)).toEqual([{ from: 0, to: 5 }])
})

test.each([['{'], ['[[5, 0]]'], ['[["never", 1]]'], ['{"other":[]}'], ['7']])(
  'labelledSpans() refuses %s',
  (text) => expect(() => labelledSpans(text, series)).toThrow(/--labels/),
)
