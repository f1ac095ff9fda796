import { beforeAll, describe, expect, it } from 'vitest'
import { sql } from '../testing/owner-sql.ts'
import { list } from '../testing/reads.ts'
import { createTenant, type TestTenant } from '../testing/tenant.ts'

/* How one thing is found among many: by name, by id, by silence, by score. */

const WINDOW_MS = 300_000
const now = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS

let owner: TestTenant
let stranger: TestTenant
const ids: Record<string, string> = {}

async function addMetric(device: string, metric: string, lastSeen: number): Promise<void> {
  const deviceId = ids[device] ?? crypto.randomUUID()
  const metricId = crypto.randomUUID()
  Object.assign(ids, { [device]: deviceId, [`${device}/${metric}`]: metricId })
  await sql.transaction([
    sql`insert into devices (tenant_id, id, external_id, last_seen_at)
        values (${owner.id}, ${deviceId}, ${device}, ${new Date(lastSeen)}) on conflict do nothing`,
    sql`insert into metrics (tenant_id, id, device_id, name, unit)
        values (${owner.id}, ${metricId}, ${deviceId}, ${metric}, 'C')`,
  ])
}

/** Scores of the windows that end at `now`, oldest first. */
function addScores(metric: string, scores: number[], state = 'ready', deviations: number[] = []) {
  const rows = scores.map((score, i) => {
    const end = now - (scores.length - 1 - i) * WINDOW_MS
    return sql`insert into anomaly_scores
        (tenant_id, metric_id, window_start, window_end, score, onset_score, state, reasons, expected_low,
          expected_high, deviation, scored_at)
      values (${owner.id}, ${ids[metric]}, ${new Date(end - WINDOW_MS)}, ${new Date(end)}, ${score}, 0, ${state},
        ${JSON.stringify([`scored ${score}`])}, 8, 12, ${deviations[i] ?? null}, now())`
  })
  return sql.transaction(rows)
}

beforeAll(async () => {
  owner = await createTenant()
  stranger = await createTenant()
  await addMetric('Pump-7', 'temperature', now)
  await addMetric('Pump-7', 'flow_%', now)
  await addMetric('pump-70', 'temperature', now - 7_200_000)
  await addMetric('fan_1', 'Temperature', now - 3_600_000)
  await addScores('Pump-7/temperature', [0, 1.5, 2.5, 0.2, 1.1], 'ready', [0, 3, -4, 0, 6])
  await addScores('pump-70/temperature', [9, 0, 0], 'learning')
  await addScores('fan_1/Temperature', [0.9, 3, 3])
})

const names = async (path: string, tenant = owner) =>
  (await list(tenant, path)).data.map((row) => row['external_id'] ?? `${row['device']}/${row['name']}`)

describe('GET /v1/devices', () => {
  it.each([
    ['search=pump', ['Pump-7', 'pump-70']],
    ['search=PUMP-7', ['Pump-7', 'pump-70']],
    ['search=_', ['fan_1']],
    ['search=%25', []],
    ['search=', ['Pump-7', 'fan_1', 'pump-70']],
    [`last_seen_before=${now - 3_600_000}`, ['pump-70']],
    [`last_seen_before=${now - 3_599_999}`, ['fan_1', 'pump-70']],
    [`last_seen_before=${now}&search=fan`, ['fan_1']],
  ])('with %s finds %j', async (query, expected) => {
    expect((await names(`/v1/devices?${query}`)).sort()).toEqual(expected)
    expect(await names(`/v1/devices?${query}`, stranger)).toEqual([])
  })

  it('tells the cadence and the silence of devices, and which are silent by what is usual for them', async () => {
    const tenant = await createTenant()
    const minute = 60_000
    /** Of each shard: since when it has heard nothing, in minutes; null: it hears the device. */
    const devices: [
      string,
      seenMinutes: number,
      cadenceMinutes: number | null,
      silences: (number | null)[],
    ][] = [
      ['a sends', 1, 1, [null]],
      ['b is late, and no more', 4, 1, [4]],
      ['c is silent', 6, 1, [6]],
      ['d sends once an hour', 200, 60, [200]],
      ['e did so', 301, 60, [301]],
      ['f is heard by one of two shards', 1, 1, [60, null]],
      ['g is silent in both', 20, 1, [60, 20]],
      ['h is new', 50, null, [null]],
      ['i was', 61, null, [null]],
    ]
    for (const shard of [0, 1])
      await sql`insert into shard_presence values (${tenant.id}, ${shard}, ${new Date(now)}, 'epoch')`
    for (const [name, seen, cadence, silences] of devices) {
      const id = crypto.randomUUID()
      await sql`insert into devices (tenant_id, id, external_id, last_seen_at)
        values (${tenant.id}, ${id}, ${name}, ${new Date(now - seen * minute)})`
      for (const [shard, silent] of silences.entries()) {
        await sql`insert into device_presence (tenant_id, device_id, shard, change, silent_since, cadence_ms)
          values (${tenant.id}, ${id}, ${shard}, 1, ${silent === null ? null : new Date(now - silent * minute)},
            ${cadence === null ? null : cadence * minute})`
      }
    }
    const silent = (await names('/v1/devices?silent=true', tenant)).map((name) => String(name)[0])
    expect(silent.join('')).toBe('cegi')
    const { data } = await list(tenant, '/v1/devices')
    const told = (name: string) => data.find(({ external_id }) => String(external_id).startsWith(name))
    expect(told('d')).toMatchObject({
      cadence_seconds: 3600,
      silent_since: new Date(now - 200 * minute).toISOString(),
    })
    expect(told('f')).toMatchObject({ cadence_seconds: 60, silent_since: null })
    expect((await tenant.get('/v1/devices?silent=false')).status).toBe(400)
  })

  it('finds the devices that an alert is about, for its tenant', async () => {
    const tenant = await createTenant()
    const [device, other, rule, alert] = Array.from({ length: 4 }, () => crypto.randomUUID())
    await sql.transaction([
      sql`insert into devices (tenant_id, id, external_id, last_seen_at)
        values (${tenant.id}, ${device}, 'gone', now()), (${tenant.id}, ${other}, 'here', now())`,
      sql`insert into alert_rules (tenant_id, id, name, kind, intervals, floor_seconds)
        values (${tenant.id}, ${rule}, 'r', 'silence', 5, 300)`,
      sql`insert into alert_events (tenant_id, id, rule_id, kind, state, opened_at, device_count, sequence)
        values (${tenant.id}, ${alert}, ${rule}, 'silence', 'open', ${new Date(now)}, 1, 1)`,
      sql`insert into alert_event_devices (tenant_id, event_id, device_id, last_seen_at, silent_at, cadence_ms)
        values (${tenant.id}, ${alert}, ${device}, ${new Date(now - 360_000)}, ${new Date(now - 60_000)}, 60000)`,
    ])
    expect(await names(`/v1/devices?alert_id=${alert}`, tenant)).toEqual(['gone'])
    expect(await names(`/v1/devices?alert_id=${alert}`)).toEqual([])
    expect(await names('/v1/devices?alert_id=nobody', tenant)).toEqual([])
    const range = `from=${now - 1000}&to=${now + 1000}`
    expect((await list(tenant, `/v1/alerts?${range}`)).data).toEqual([
      {
        ...{
          id: alert,
          rule_id: rule,
          kind: 'silence',
          state: 'open',
          opened_at: new Date(now).toISOString(),
        },
        ...{ metric_id: null, window_end: null, score: null, threshold: null, data_missing_since: null },
        ...{ resolved_at: null, resolved_reason: null, acknowledged_at: null, acknowledgement_note: null },
        ...{ device_count: 1, silent_count: 1 },
        devices: [
          {
            ...{ device_id: device, device: 'gone', cadence_seconds: 60, recovered_at: null },
            last_seen_at: new Date(now - 360_000).toISOString(),
            silent_at: new Date(now - 60_000).toISOString(),
          },
        ],
      },
    ])
  })

  it('finds those with given ids, and nothing for ids that are nobody’s', async () => {
    const path = `/v1/devices?id=${ids['fan_1']},${ids['Pump-7']},x,${crypto.randomUUID()}`
    expect((await names(path)).sort()).toEqual(['Pump-7', 'fan_1'])
    expect(await names(`${path}&search=fan`)).toEqual(['fan_1'])
    expect(await names(path, stranger)).toEqual([])
  })

  it('goes on with the search on the next page', async () => {
    const first = await list(owner, '/v1/devices?search=pump&limit=1')
    const second = await list(owner, `/v1/devices?search=pump&limit=1&cursor=${first.next_cursor}`)
    expect(new Set([...first.data, ...second.data].map((row) => row['id'])).size).toBe(2)
    expect(second.next_cursor).toBeNull()
  })

  it.each(['search=%00', `search=${'x'.repeat(129)}`, 'last_seen_before=yesterday'])(
    'refuses %s',
    async (query) => {
      const answer = await owner.get(`/v1/devices?${query}`)
      expect([answer.status, (await answer.json<{ code: string }>()).code]).toEqual([
        400,
        'invalid_parameter',
      ])
    },
  )
})

describe('GET /v1/metrics', () => {
  it.each([
    ['search=temp', ['Pump-7/temperature', 'fan_1/Temperature', 'pump-70/temperature']],
    ['search=pump-7/t', ['Pump-7/temperature']],
    ['search=w_%25', ['Pump-7/flow_%']],
  ])('with %s finds %j', async (query, expected) => {
    expect((await names(`/v1/metrics?${query}`)).sort()).toEqual(expected)
    expect(await names(`/v1/metrics?${query}`, stranger)).toEqual([])
  })

  it('finds those with given ids, and nothing for ids that are nobody’s', async () => {
    const wanted = ['Pump-7/flow_%', 'fan_1/Temperature']
    const path = `/v1/metrics?id=${wanted.map((name) => ids[name]).join(',')},x,${crypto.randomUUID()}`
    expect((await names(path)).sort()).toEqual(wanted)
    expect(await names(path, stranger)).toEqual([])
    expect(await names('/v1/metrics?id=')).toEqual([])
  })

  it('refuses more than 100 ids', async () => {
    const many = Array.from({ length: 101 }, () => ids['fan_1/Temperature'])
    expect((await owner.get(`/v1/metrics?id=${many.slice(1)}`)).status).toBe(200)
    expect((await owner.get(`/v1/metrics?id=${many}`)).status).toBe(400)
  })
})

describe('GET /v1/anomalies/top', () => {
  it('names each metric once, by its worst window, the worst metric first', async () => {
    const { data } = await list(owner, `/v1/anomalies/top?from=${now - 86_400_000}&to=${now + 1}`)
    expect(data).toEqual([
      expect.objectContaining({ score: 9, device: 'pump-70', metric: 'temperature' }),
      expect.objectContaining({
        ...{ score: 3, device: 'fan_1', unit: 'C', anomalous_windows: 2, reasons: ['scored 3'] },
        ...{ metric_id: ids['fan_1/Temperature'], device_id: ids['fan_1'] },
        window_end: new Date(now - WINDOW_MS).toISOString(),
      }),
      expect.objectContaining({ score: 2.5, device: 'Pump-7', anomalous_windows: 3 }),
    ])
    expect((await list(stranger, '/v1/anomalies/top')).data).toEqual([])
  })

  it('looks at the time asked for, and shows as many as asked for', async () => {
    const path = `/v1/anomalies/top?from=${now}&to=${now + 1}`
    expect((await list(owner, path)).data.map((row) => row['score'])).toEqual([3, 1.1])
    expect((await list(owner, `${path}&limit=1`)).data).toHaveLength(1)
  })
})

describe('POST /v1/alert-rules/preview', () => {
  const preview = async (rule: object, tenant = owner) => {
    const path = `/v1/alert-rules/preview?from=${now - 86_400_000}&to=${now + 1}`
    const answer = await tenant.send('POST', path, { name: 'tried', ...rule })
    return answer.json<Record<string, unknown>>()
  }

  it('says how often a rule on one metric would have fired', async () => {
    expect(await preview({ metric_id: ids['Pump-7/temperature'] })).toEqual({
      from: new Date(now - 86_400_000).toISOString(),
      to: new Date(now + 1).toISOString(),
      ...{ windows: 5, alerts: 2, complete: true, metrics: 1 },
      latest: [
        {
          metric_id: ids['Pump-7/temperature'],
          window_end: new Date(now).toISOString(),
          resolved_window_end: null,
        },
        {
          metric_id: ids['Pump-7/temperature'],
          window_end: new Date(now - 3 * WINDOW_MS).toISOString(),
          resolved_window_end: new Date(now - WINDOW_MS).toISOString(),
        },
      ],
    })
  })

  it.each([
    [{}, { windows: 8, alerts: 3, metrics: 2 }],
    [{ threshold: 2 }, { alerts: 2, metrics: 2 }],
    [{ for_windows: 2 }, { alerts: 2, metrics: 2 }],
    [
      { threshold: 1.2, for_windows: 2, cooldown_seconds: 3600 },
      { alerts: 2, metrics: 2 },
    ],
    [
      { threshold: 1.4, resolve_windows: 2 },
      { alerts: 2, metrics: 2 },
    ],
    [
      { threshold: 1, resolve_windows: 2 },
      { alerts: 2, metrics: 2 },
    ],
    [{ threshold: 4 }, { windows: 8, alerts: 0, metrics: 0, latest: [] }],
    // What is not known to deviate, counts: the fan's scores are of before deviations were stored.
    [{ direction: 'above' }, { alerts: 3, metrics: 2 }],
    [{ direction: 'below' }, { alerts: 2, metrics: 2 }],
    [{ min_deviation: 5 }, { alerts: 2, metrics: 2 }],
    [{ min_deviation_relative: 0.35 }, { alerts: 3, metrics: 2 }],
    [{ min_deviation_relative: 0.7 }, { alerts: 1, metrics: 1 }],
  ])('counts over all metrics, but nothing that was learning: %j', async (rule, expected) => {
    expect(await preview(rule)).toMatchObject(expected)
  })

  it('shows a stranger nothing', async () => {
    expect(await preview({}, stranger)).toMatchObject({ windows: 0, alerts: 0 })
    expect(await preview({ metric_id: ids['Pump-7/temperature'] }, stranger)).toMatchObject({
      code: 'validation_failed',
    })
  })

  it('creates no rule', async () => {
    expect((await list(owner, '/v1/alert-rules')).data).toEqual([])
  })
})
