import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { openSecret } from '../../telemetry/secret-box.ts'
import { sql } from '../testing/owner-sql.ts'
import { insertMetric, list } from '../testing/reads.ts'
import { createKey, createTenant, type TestTenant } from '../testing/tenant.ts'

const MINUTE = 60_000

let owner: TestTenant
let stranger: TestTenant
let metricId: string
beforeAll(async () => {
  owner = await createTenant()
  stranger = await createTenant()
  metricId = await insertMetric(sql, owner)
})

const created = async (path: string, body: unknown) => {
  const answer = await owner.send('POST', path, body)
  expect(answer.status).toBe(201)
  return answer.json<{ id: string; secret: string }>()
}
const webhook = () => created('/v1/webhooks', { url: 'https://hooks.example.com/' })

describe('an alert rule', () => {
  it('has defaults that heed every crossing, and keeps what it is given', async () => {
    const { id, ...bare } = await created('/v1/alert-rules', { name: 'hot' })
    const fields = {
      ...{ kind: 'anomaly', device_id: null, intervals: null, floor_seconds: null },
      ...{ name: 'hot', metric_id: null, threshold: 1, for_windows: 1, resolve_windows: 1 },
      ...{ cooldown_seconds: 0, direction: 'both', min_deviation: 0, min_deviation_relative: 0 },
      ...{ max_age_seconds: 86_400, enabled: true },
    }
    expect(bare).toEqual(fields)
    const change = {
      ...{ for_windows: 2, resolve_windows: 3, cooldown_seconds: 60, direction: 'below', min_deviation: 0.5 },
      ...{ min_deviation_relative: 0.05, max_age_seconds: 0, enabled: false, metric_id: metricId },
    }
    const changed = await owner.send('PATCH', `/v1/alert-rules/${id}`, change)
    expect(await changed.json()).toEqual({ id, ...fields, ...change })
    const back = await owner.send('PATCH', `/v1/alert-rules/${id}`, { metric_id: null })
    expect(await back.json()).toEqual({ id, ...fields, ...change, metric_id: null })
  })

  it('of silence has defaults, keeps what it is given, and says nothing of scores', async () => {
    const { id, ...bare } = await created('/v1/alert-rules', { name: 'gone', kind: 'silence' })
    expect(bare).toMatchObject({
      kind: 'silence',
      device_id: null,
      intervals: 5,
      floor_seconds: 300,
      threshold: null,
    })
    const [device] = (await list(owner, '/v1/devices')).data
    const change = {
      intervals: 2,
      floor_seconds: 60,
      device_id: device?.id,
      enabled: false,
      max_age_seconds: 60,
    }
    const changed = await owner.send('PATCH', `/v1/alert-rules/${id}`, change)
    expect(await changed.json()).toEqual({ id, ...bare, ...change })
    const listed = (await list(owner, '/v1/alert-rules')).data
    expect(listed).toContainEqual({ id, ...bare, ...change })
    expect((await owner.send('DELETE', `/v1/alert-rules/${id}`)).status).toBe(204)
  })

  it.each([
    ['silence', 'intervals', 1.9],
    ['silence', 'floor_seconds', 59],
    ['silence', 'floor_seconds', 2_592_001],
    ['silence', 'device_id', crypto.randomUUID()],
    ['silence', 'metric_id', 'own'],
    ['silence', 'threshold', 1],
    ['anomaly', 'intervals', 3],
    ['anomaly', 'floor_seconds', 60],
    ['gossip', 'kind', 'gossip'],
  ])('of the kind %s does not take %s %j, new or changed', async (kind, field, value) => {
    const given = { [field]: value === 'own' ? metricId : value }
    const refusal = async (method: string, path: string, body: object) => {
      const answer = await owner.send(method, path, body)
      const problem = await answer.json<{ code: string; errors: { path: string }[] }>()
      return [answer.status, problem.code, problem.errors[0]?.path]
    }
    const expected = [400, 'validation_failed', field]
    expect(await refusal('POST', '/v1/alert-rules', { name: 'x', kind, ...given })).toEqual(expected)
    if (kind === 'gossip') return
    const { id } = await created('/v1/alert-rules', { name: 'x', kind })
    expect(await refusal('PATCH', `/v1/alert-rules/${id}`, given)).toEqual(expected)
  })

  it('is armed anew when it is enabled, and not by a change that leaves it so', async () => {
    const { id } = await created('/v1/alert-rules', { name: 'gone', kind: 'silence' })
    await sql`update alert_rules set armed_at = 'epoch' where id = ${id}`
    const armed = async (change: object) => {
      await owner.send('PATCH', `/v1/alert-rules/${id}`, change)
      const [row] = await sql`select armed_at > 'epoch' as anew from alert_rules where id = ${id}`
      return row?.['anew']
    }
    expect([
      await armed({ enabled: true }),
      await armed({ enabled: false }),
      await armed({ enabled: true }),
    ]).toEqual([...[false, false, true]])
  })

  it.each([
    ['resolve_windows', 0],
    ['resolve_windows', 1.5],
    ['direction', 'up'],
    ['direction', null],
    ['min_deviation', -1],
    ['min_deviation', '1'],
    ['min_deviation_relative', -0.1],
    ['max_age_seconds', -1],
    ['max_age_seconds', 1e9],
  ])('does not take %s %j', async (field, value) => {
    const answer = await owner.send('POST', '/v1/alert-rules', { name: 'hot', [field]: value })
    const problem = await answer.json<{ code: string; errors: { path: string }[] }>()
    expect([answer.status, problem.code, problem.errors[0]?.path]).toEqual([400, 'validation_failed', field])
  })
})

describe('an alert', () => {
  async function opened(): Promise<string> {
    const { id: rule } = await created('/v1/alert-rules', { name: 'any' })
    const id = crypto.randomUUID()
    await sql`insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, state, opened_at)
      values (${owner.id}, ${id}, ${rule}, ${metricId}, now(), 1.5, 1, 'open', now())`
    return id
  }

  it('is acknowledged with a note, which all see and the next one replaces', async () => {
    const id = await opened()
    const before = await (await owner.get(`/v1/alerts/${id}`)).json<Record<string, unknown>>()
    expect(before).toMatchObject({ acknowledged_at: null, acknowledgement_note: null })
    for (const [body, note] of [
      [{ note: 'on it' }, 'on it'],
      [{}, null],
    ] as const) {
      const answer = await owner.send('POST', `/v1/alerts/${id}/acknowledge`, body)
      const alert = await answer.json()
      expect([answer.status, alert]).toEqual([
        200,
        { ...before, acknowledged_at: expect.stringMatching(/Z$/), acknowledgement_note: note },
      ])
      const listed = (await list(owner, `/v1/alerts?metric_id=${metricId}&state=open`)).data
      expect(listed).toContainEqual(alert)
    }
  })

  it.each([[{ note: 5 }], [{ note: 'a\0b' }], [{ note: 'x'.repeat(2001) }]])(
    'is not acknowledged with %j',
    async (body) => {
      const answer = await owner.send('POST', `/v1/alerts/${await opened()}/acknowledge`, body)
      expect(answer.status).toBe(400)
    },
  )

  it('is seen and acknowledged by its tenant alone, and acknowledged by who manages', async () => {
    const id = await opened()
    expect((await stranger.get(`/v1/alerts/${id}`)).status).toBe(404)
    expect((await stranger.send('POST', `/v1/alerts/${id}/acknowledge`, {})).status).toBe(404)
    const reader = await createKey(owner.id, ['read'])
    expect((await reader.get(`/v1/alerts/${id}`)).status).toBe(200)
    expect((await reader.send('POST', `/v1/alerts/${id}/acknowledge`, {})).status).toBe(403)
  })
})

describe('a webhook', () => {
  it('keeps its secret sealed, with the id of the key, and shows it once', async () => {
    const { id, secret } = await webhook()
    const sealed = async () => {
      const [row] = await sql`select secret, previous_secrets from webhook_endpoints where id = ${id}`
      return row as { secret: string; previous_secrets: { secret: string; expires_at: string }[] }
    }
    const open = (text: string) => openSecret(text, [env.WEBHOOK_SECRET_KEY], `${owner.id}/${id}`)
    const first = await sealed()
    expect(first.secret).toMatch(/^v2\.[0-9a-f]{8}\./)
    expect(await open(first.secret)).toBe(secret)
    expect(await (await owner.get(`/v1/webhooks/${id}`)).text()).not.toContain('whsec_')
    const rotated = await (await owner.send('POST', `/v1/webhooks/${id}/rotate-secret`)).json<{
      secret: string
    }>()
    const second = await sealed()
    expect([await open(second.secret), await open(second.previous_secrets[0]?.secret ?? '')]).toEqual([
      rotated.secret,
      secret,
    ])
  })

  it('keeps every secret that it promised for a day, and takes no more than five to be kept', async () => {
    const { id, secret } = await webhook()
    const rotate = () => owner.send('POST', `/v1/webhooks/${id}/rotate-secret`)
    // At once, as two operators may: none of the secrets may get lost.
    const answers = await Promise.all(Array.from({ length: 5 }, rotate))
    const secrets = await Promise.all(
      answers.map(async (answer) => (await answer.json<{ secret: string }>()).secret),
    )
    const [row] = await sql`select secret, previous_secrets from webhook_endpoints where id = ${id}`
    const { secret: sealed, previous_secrets } = row as {
      secret: string
      previous_secrets: { secret: string; expires_at: string }[]
    }
    const opened = [sealed, ...previous_secrets.map((previous) => previous.secret)].map((text) =>
      openSecret(text, [env.WEBHOOK_SECRET_KEY], `${owner.id}/${id}`),
    )
    expect((await Promise.all(opened)).toSorted()).toEqual([secret, ...secrets].toSorted())
    const refused = await rotate()
    expect([refused.status, (await refused.json<{ code: string }>()).code]).toEqual([429, 'rate_limited'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(86_000)
    const over = previous_secrets.map((previous, i) =>
      i === 4 ? { ...previous, expires_at: new Date(Date.now() - 1).toISOString() } : previous,
    )
    await sql`update webhook_endpoints set previous_secrets = ${JSON.stringify(over)} where id = ${id}`
    expect((await rotate()).status).toBe(200)
    const [after] =
      await sql`select jsonb_array_length(previous_secrets) as n from webhook_endpoints where id = ${id}`
    expect(after).toEqual({ n: 5 })
  })

  it('that was turned off by EdgePulse says why, until it is turned on again', async () => {
    const { id } = await webhook()
    await sql`update webhook_endpoints set enabled = false, failing_since = now(), disabled_at = now(),
      disabled_reason = 'failing' where id = ${id}`
    const off = await (await owner.get(`/v1/webhooks/${id}`)).json()
    expect(off).toMatchObject({ enabled: false, disabled_reason: 'failing', disabled_at: expect.any(String) })
    const on = await (await owner.send('PATCH', `/v1/webhooks/${id}`, { enabled: true })).json()
    expect(on).toMatchObject({ enabled: true, failing_since: null, disabled_reason: null, disabled_at: null })
  })
})

describe('deliveries', () => {
  /** One delivery of each state and age in minutes, oldest first. */
  async function stored(webhookId: string, rows: [state: string, minutes: number][]): Promise<string[]> {
    const ids = rows.map(() => crypto.randomUUID())
    for (const [i, [state, minutes]] of rows.entries()) {
      await sql`insert into webhook_deliveries (tenant_id, id, webhook_id, event_key, type, body, state, attempt_count, created_at)
        values (${owner.id}, ${ids[i]}, ${webhookId}, ${ids[i]}, 'alert.opened', '{}', ${state}, 8,
          ${new Date(Date.now() - minutes * MINUTE)})`
    }
    return ids
  }
  const idsOf = async (path: string) => (await list(owner, path)).data.map(({ id }) => id)

  it('are listed by state', async () => {
    const { id } = await webhook()
    const [failed, delivered, pending] = await stored(id, [
      ['failed', 3],
      ['delivered', 2],
      ['pending', 1],
    ])
    const path = `/v1/webhooks/${id}/deliveries`
    expect(await idsOf(path)).toEqual([pending, delivered, failed])
    expect(await idsOf(`${path}?state=failed`)).toEqual([failed])
    expect(await idsOf(`${path}?state=nonsense`)).toEqual([])
  })

  it('that failed since an instant are sent again, and no others', async () => {
    const { id } = await webhook()
    const other = await webhook()
    const rows: [string, number][] = [
      ['failed', 30],
      ['failed', 10],
      ['delivered', 10],
      ['failed', 1],
    ]
    const [, second, , last] = await stored(id, rows)
    await stored(other.id, [['failed', 1]])
    const since = new Date(Date.now() - 20 * MINUTE).toISOString()
    const answer = await owner.send('POST', `/v1/webhooks/${id}/retry-failed`, { since })
    expect([answer.status, await answer.json()]).toEqual([202, { deliveries: 2 }])
    expect(await idsOf(`/v1/webhooks/${id}/deliveries?state=pending`)).toEqual([last, second])
    expect(await idsOf(`/v1/webhooks/${other.id}/deliveries?state=pending`)).toEqual([])
    const [row] =
      await sql`select attempt_count, next_attempt_at <= now() as due from webhook_deliveries where id = ${last}`
    expect(row).toEqual({ attempt_count: 0, due: true })
    const again = await owner.send('POST', `/v1/webhooks/${id}/retry-failed`, { since })
    expect(await again.json()).toEqual({ deliveries: 0 })
  })

  it.each([[{}], [{ since: 'yesterday' }], [{ since: null }]])(
    'are not sent again since %j',
    async (body) => {
      const answer = await owner.send('POST', `/v1/webhooks/${(await webhook()).id}/retry-failed`, body)
      expect(answer.status).toBe(400)
    },
  )

  it('are sent again by their tenant alone', async () => {
    const { id } = await webhook()
    const [delivery] = await stored(id, [['failed', 1]])
    expect((await stranger.send('POST', `/v1/webhooks/${id}/retry-failed`, { since: 0 })).status).toBe(404)
    expect((await stranger.send('POST', `/v1/deliveries/${delivery}/retry`)).status).toBe(404)
    expect(await idsOf(`/v1/webhooks/${id}/deliveries?state=failed`)).toEqual([delivery])
  })
})
