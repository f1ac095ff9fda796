import { once } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { deviceIdOf } from '../../telemetry/series-id.ts'
import { type Database, inTransaction } from '../database.ts'
import { delivering, verify } from '../testing/delivering.ts'
import { runCli, startCli } from '../testing/run-cli.ts'
import { addEndpoint } from '../testing/seed-alerting.ts'
import { addSilenceRule, sayPresence } from '../testing/seed-presence.ts'
import { seedTenant } from '../testing/seed-tenant.ts'
import { evaluateSilence } from './evaluate-silence.ts'
import { selectWatched } from './silence-sql.ts'
import { watchDevices } from './watch-devices.ts'

const { pool, databaseUrl, deliver, receiver: startReceiver } = delivering()

const MINUTE = 60_000
/** Everything lies lately: the command line has the machine's clock. */
const T0 = Date.now() - 60 * MINUTE
const at = (minutes: number) => T0 + minutes * MINUTE
const judge = (minutes: number) => watchDevices(pool(), at(minutes))

/** A tenant with a rule of five intervals and a receiver. */
async function watched(rule: Parameters<typeof addSilenceRule>[2] = {}) {
  const receiver = await startReceiver()
  const { tenantId, modelDir } = await seedTenant(pool())
  const endpoint = await addEndpoint(pool(), tenantId, receiver.url)
  const ruleId = await addSilenceRule(pool(), tenantId, rule)
  const say = (devices: Parameters<typeof sayPresence>[2], minutes: number, shard?: number) =>
    sayPresence(pool(), tenantId, devices, at(minutes), shard)
  return { receiver, tenantId, modelDir, endpoint, ruleId, say }
}

/** The messages that receivers got until `minutes`, each verified, in the order of their arrival, event by event. */
async function heard({ receiver, endpoint }: Awaited<ReturnType<typeof watched>>, minutes = 60) {
  await deliver(at(minutes))
  const messages = receiver.received.map((request) => verify(endpoint.secret, request) as Message)
  const openedAt = ({ data }: Message) => Date.parse(String(data['opened_at']))
  return messages.sort((a, b) => openedAt(a) - openedAt(b))
}

interface Message {
  type: string
  timestamp: string
  data: Record<string, unknown> & { devices: Record<string, unknown>[] }
}

const told = (messages: Message[]) =>
  messages.map(({ type, data }) => [
    type,
    data['sequence'],
    data['state'],
    data.devices.map(({ device }) => device).join(),
  ])

const eventsOf = async (tenantId: string) =>
  (await pool().query('select * from alert_events where tenant_id = $1 order by opened_at', [tenantId])).rows

const gateway = (devices: number, said: (i: number) => Parameters<typeof sayPresence>[2][string]) =>
  Object.fromEntries(
    Array.from({ length: devices }, (_, i) => [`pump-${String(i).padStart(3, '0')}`, said(i)]),
  )

describe('devices that fall silent together', () => {
  it('make one event that names a hundred of a hundred and twenty, and one when all are back', async () => {
    const tenant = await watched()
    await tenant.say(
      gateway(120, (i) => ({ silentSince: at(0) + i * 500 })),
      5.5,
    )
    expect(await judge(5.6)).toMatchObject({ silent: 0 }) // some are not silent for long enough; all wait a minute
    await tenant.say({}, 6.2)
    expect(await judge(6.3)).toMatchObject({ silent: 120 })
    expect(await judge(7)).toMatchObject({ silent: 0, recovered: 0 })
    await tenant.say(
      gateway(120, (i) => ({ gap: [at(0) + i * 500, at(20) + i] })),
      21,
    )
    expect(await judge(21)).toMatchObject({ recovered: 120 })
    expect(await judge(22)).toMatchObject({ silent: 0, recovered: 0 })
    const messages = await heard(tenant)
    expect(
      messages.map(({ type, data }) => [type, data['sequence'], data['device_count'], data['silent_count']]),
    ).toEqual([
      ['device.silent', 1, 120, 120],
      ['device.recovered', 2, 120, 0],
    ])
    const [silent, recovered] = messages
    expect(silent!.data).toMatchObject({
      kind: 'silence',
      rule_id: tenant.ruleId,
      state: 'open',
      metric_id: null,
      score: null,
    })
    expect(silent!.data.devices).toHaveLength(100)
    expect(silent!.data.devices[1]).toEqual({
      device_id: deviceIdOf(tenant.tenantId, 'pump-001'),
      device: 'pump-001',
      last_seen_at: new Date(at(0) + 500).toISOString(),
      silent_at: new Date(at(5) + 500).toISOString(),
      cadence_seconds: 60,
      recovered_at: null,
    })
    expect(silent!.data['reasons']).toEqual([
      'pump-000, pump-001, pump-002 and 117 more have sent nothing for longer than usual',
    ])
    expect(recovered!.data).toMatchObject({
      id: silent!.data['id'],
      state: 'resolved',
      resolved_at: new Date(at(20) + 119).toISOString(),
    })
    expect(recovered!.timestamp).toBe(recovered!.data['resolved_at'])
    expect(await eventsOf(tenant.tenantId)).toHaveLength(1)
  })

  it('stay one event while some of them come back, which is told when it happens', async () => {
    const tenant = await watched()
    await tenant.say({ a: { silentSince: at(0) }, b: { silentSince: at(0) }, c: { silentSince: at(0) } }, 8)
    await judge(8)
    await tenant.say({ a: { gap: [at(0), at(10)] } }, 10)
    await judge(10.5) // others may be about to come back, too
    await tenant.say({ b: { gap: [at(0), at(10.7)] } }, 10.8)
    await judge(11.1)
    await tenant.say({ c: { gap: [at(0), at(30)] } }, 30)
    await judge(30) // nobody is left to wait for
    expect(told(await heard(tenant))).toEqual([
      ['device.silent', 1, 'open', 'a,b,c'],
      ['device.recovered', 2, 'open', 'a,b'],
      ['device.recovered', 3, 'resolved', 'c'],
    ])
  })

  it('are different events when they fell silent at different times', async () => {
    const tenant = await watched()
    await tenant.say({ a: { silentSince: at(0) } }, 8)
    await judge(8)
    await tenant.say({ b: { silentSince: at(5) } }, 12)
    await judge(12)
    expect((await eventsOf(tenant.tenantId)).map(({ device_count, state }) => [device_count, state])).toEqual(
      [
        [1, 'open'],
        [1, 'open'],
      ],
    )
  })
})

describe('a device', () => {
  it('that is silent for ever is told of once', async () => {
    const tenant = await watched()
    await tenant.say({ retired: { silentSince: at(0) } }, 8)
    for (let minutes = 8; minutes < 60; minutes += 4) {
      await tenant.say({}, minutes)
      await judge(minutes)
    }
    expect(told(await heard(tenant))).toEqual([['device.silent', 1, 'open', 'retired']])
  })

  it('that is silent again is told of again, as another event, after its return', async () => {
    const tenant = await watched()
    await tenant.say({ d: { silentSince: at(0) } }, 8)
    await judge(8)
    await tenant.say({ d: { gap: [at(0), at(20)], silentSince: at(21) } }, 28)
    await judge(28)
    const messages = await heard(tenant)
    expect(told(messages)).toEqual([
      ['device.silent', 1, 'open', 'd'],
      ['device.recovered', 2, 'resolved', 'd'],
      ['device.silent', 1, 'open', 'd'],
    ])
    expect(new Set(messages.map(({ data }) => data['id'])).size).toBe(2)
  })

  it('whose silence nobody judged before it was over is told of with its end', async () => {
    const tenant = await watched()
    await tenant.say({ d: { gap: [at(0), at(40)] } }, 45)
    await judge(45)
    await judge(46)
    expect(told(await heard(tenant))).toEqual([
      ['device.silent', 1, 'open', 'd'],
      ['device.recovered', 2, 'resolved', 'd'],
    ])
    const [event] = await eventsOf(tenant.tenantId)
    expect([event.opened_at, event.resolved_at]).toEqual([new Date(at(5)), new Date(at(40))])
  })

  it('is not silent while nothing is known of the time since: the consumer, or Postgres, was away', async () => {
    const tenant = await watched()
    await tenant.say({ d: { silentSince: at(0) } }, 3)
    expect(await judge(59)).toMatchObject({ silent: 0 })
    await tenant.say({ d: {} }, 59)
    expect(await judge(60)).toMatchObject({ silent: 0, recovered: 0 })
    expect(await heard(tenant)).toEqual([])
  })

  it('that sends through two shards is silent when both miss it', async () => {
    const tenant = await watched()
    await tenant.say({ d: { silentSince: at(0) } }, 20, 0)
    await tenant.say({ d: {} }, 20, 1)
    expect(await judge(20)).toMatchObject({ silent: 0 })
    await tenant.say({ d: { silentSince: at(18) } }, 30, 1)
    await tenant.say({}, 30, 0)
    expect(await judge(30)).toMatchObject({ silent: 1 })
  })

  it('that went to another shard is looked at no more until it falls silent there', async () => {
    const tenant = await watched()
    await tenant.say({ d: { silentSince: at(-1502) } }, 20, 0)
    await tenant.say({ d: { gap: [at(-1501), at(-1500)] } }, 20, 1)
    await judge(20)
    expect(await selectWatched(pool(), tenant.tenantId)).toEqual([])
    await tenant.say({ d: { silentSince: at(18) } }, 30, 1)
    expect(await judge(30)).toMatchObject({ silent: 1 })
    expect(await selectWatched(pool(), tenant.tenantId)).toEqual([])
  })

  it('that went to another shard, and was silent there while the first was away, is told of when that is back', async () => {
    const tenant = await watched()
    await tenant.say({ d: { silentSince: at(0) } }, 3, 0)
    await tenant.say({ d: { gap: [at(1), at(12)] } }, 13, 1)
    expect(await judge(13)).toMatchObject({ silent: 0 })
    await tenant.say({}, 14, 0)
    expect(await judge(14)).toMatchObject({ silent: 1 })
    expect(await judge(15)).toMatchObject({ silent: 0 })
  })

  it('that was silent twice before anybody judged it is told of twice', async () => {
    const tenant = await watched()
    await tenant.say({ d: { gap: [at(0), at(10)], silentSince: at(11) } }, 31, 0)
    await tenant.say({ d: { gap: [at(0), at(30)] } }, 31, 1)
    expect(await judge(31)).toMatchObject({ silent: 2 })
    expect(await judge(32)).toMatchObject({ silent: 0 })
    const events = await eventsOf(tenant.tenantId)
    expect(events.map(({ state, resolved_at }) => [state, resolved_at])).toEqual([
      ['resolved', new Date(at(10))],
      ['resolved', new Date(at(30))],
    ])
  })

  it('is watched by the rules that name it or all, each by its own measure', async () => {
    const tenant = await watched({ intervals: 20 })
    await tenant.say({ a: { silentSince: at(0) }, b: { silentSince: at(0) } }, 8)
    await addSilenceRule(pool(), tenant.tenantId, { deviceId: deviceIdOf(tenant.tenantId, 'a') })
    expect(await judge(8)).toMatchObject({ silent: 1 })
    await tenant.say({}, 30)
    expect(await judge(30)).toMatchObject({ silent: 2 })
  })

  it('is let go of when it comes back, though its rule watches another by then', async () => {
    const tenant = await watched()
    await tenant.say({ a: { silentSince: at(0) }, b: {} }, 8)
    expect(await judge(8)).toMatchObject({ silent: 1 })
    await pool().query('update alert_rules set device_id = $2 where id = $1', [
      tenant.ruleId,
      deviceIdOf(tenant.tenantId, 'b'),
    ])
    await tenant.say({ a: { gap: [at(0), at(10)] } }, 10)
    expect(await judge(10)).toMatchObject({ silent: 0, recovered: 1 })
    await tenant.say({ a: { silentSince: at(12) } }, 20)
    expect(await judge(20)).toMatchObject({ silent: 0, recovered: 0 })
  })

  it('that had been silent for too long when the rule was armed is old news', async () => {
    const tenant = await watched({ armedAt: at(10) })
    await tenant.say({ old: { silentSince: at(0) }, fresh: { silentSince: at(6) } }, 20)
    await judge(20)
    await judge(21)
    expect(told(await heard(tenant))).toEqual([['device.silent', 1, 'open', 'fresh']])
    expect(await selectWatched(pool(), tenant.tenantId)).toEqual([]) // it is not looked at for ever
    await tenant.say({ old: { gap: [at(0), at(25)], silentSince: at(30) } }, 40)
    await judge(41)
    expect(told(await heard(tenant))).toContainEqual(['device.silent', 1, 'open', 'old'])
  })

  it('that fell silent longer ago than max_age_seconds is stored and not sent', async () => {
    const tenant = await watched({ maxAgeSeconds: 600 })
    await tenant.say({ old: { silentSince: at(0) }, fresh: { silentSince: at(20) } }, 30)
    expect(await judge(30)).toMatchObject({ silent: 2 })
    await tenant.say({ old: { gap: [at(0), at(31)] } }, 32)
    expect(await judge(33)).toMatchObject({ recovered: 1 })
    expect(told(await heard(tenant))).toEqual([['device.silent', 1, 'open', 'fresh']])
    expect(await eventsOf(tenant.tenantId)).toHaveLength(2)
  })
})

describe('judges', () => {
  it('that race tell of everything once', async () => {
    const tenant = await watched()
    await tenant.say(
      gateway(30, () => ({ silentSince: at(0) })),
      8,
    )
    await Promise.all([judge(8), judge(8), judge(8)])
    // One stays silent, so that its event stays open and could be told of again.
    await tenant.say(
      gateway(29, () => ({ gap: [at(0), at(9)] })),
      10,
    )
    const judged = await Promise.all([judge(11), judge(11), judge(11)])
    expect(judged.reduce((sum, { recovered }) => sum + recovered, 0)).toBe(29)
    expect((await heard(tenant)).map(({ type }) => type)).toEqual(['device.silent', 'device.recovered'])
    const [event, ...others] = await eventsOf(tenant.tenantId)
    expect([event.sequence, event.state, others]).toEqual([2, 'open', []])
  })

  it('miss nothing that is stored while they look', async () => {
    const tenant = await watched()
    await tenant.say({ a: {} }, 10)
    await inTransaction(pool(), tenant, (db) => {
      const query: Database['query'] = async (text, values) => {
        const result = await db.query(text, values)
        if (String(text).includes('with candidates')) await tenant.say({ late: { gap: [at(0), at(20)] } }, 21)
        return result as never
      }
      return evaluateSilence({ query }, tenant.tenantId, at(22))
    })
    expect(await judge(23)).toMatchObject({ silent: 1 })
  })

  it('that are killed amid their work leave nothing of it, and the next tells all of it once', async () => {
    const tenant = await watched()
    await tenant.say({ d: { silentSince: at(0) } }, 30)
    const blocker = await pool().connect()
    await blocker.query('begin')
    await blocker.query('lock table webhook_deliveries in exclusive mode')
    const child = startCli(['score', '--all'], { DATABASE_URL: databaseUrl(), MODEL_DIR: tenant.modelDir })
    await vi.waitFor(async () => {
      const waiting = `select from pg_locks where not granted and relation = 'webhook_deliveries'::regclass`
      expect((await pool().query(waiting)).rowCount).toBeGreaterThan(0)
    }, 20_000)
    child.kill('SIGKILL')
    await once(child, 'close')
    await blocker.query('rollback')
    blocker.release()
    expect(await eventsOf(tenant.tenantId)).toEqual([])
    const again = await runCli(['score', '--all'], {
      DATABASE_URL: databaseUrl(),
      MODEL_DIR: tenant.modelDir,
    })
    expect(again.code).toBe(0)
    await judge(60)
    expect(told(await heard(tenant, 61))).toEqual([['device.silent', 1, 'open', 'd']])
  })

  it('that fail for one tenant go on with the others', async () => {
    const broken = await watched()
    const tenant = await watched()
    for (const { say } of [broken, tenant]) await say({ d: { silentSince: at(0) } }, 30)
    await pool().query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$`,
    )
    await pool().query(`create trigger refuse before insert on alert_events for each row
      when (new.tenant_id = '${broken.tenantId}') execute function refuse()`)
    expect(await judge(30)).toMatchObject({ silent: 1 })
    await pool().query('drop function refuse cascade')
    expect(await judge(31)).toMatchObject({ silent: 1 })
  })

  it('pass over a suspended tenant, whose devices cannot be heard', async () => {
    const tenant = await watched()
    await tenant.say({ d: { silentSince: at(0) } }, 30)
    await pool().query(`update tenants set state = 'suspended'`)
    expect(await judge(30)).toMatchObject({ silent: 0 })
  })
})

describe('a rule that is disabled', () => {
  const disable = (ruleId: string, enabled = false) =>
    pool().query('update alert_rules set enabled = $2, armed_at = now() where id = $1', [ruleId, enabled])

  it('leaves no silence open: it is over, for that reason, and stays so when the rule is enabled again', async () => {
    const tenant = await watched()
    await tenant.say({ a: { silentSince: at(0) }, b: { silentSince: at(0) } }, 8)
    await judge(8)
    await disable(tenant.ruleId)
    expect(await judge(9)).toMatchObject({ settled: 1 })
    expect(await judge(10)).toMatchObject({ settled: 0 })
    await disable(tenant.ruleId, true)
    await tenant.say({ a: { gap: [at(0), at(20)] } }, 21)
    expect(await judge(22)).toMatchObject({ silent: 0, recovered: 0 })
    const messages = await heard(tenant)
    expect(told(messages)).toEqual([
      ['device.silent', 1, 'open', 'a,b'],
      ['device.recovered', 2, 'resolved', 'a,b'],
    ])
    expect(messages[1]!.data).toMatchObject({
      ...{ resolved_reason: 'rule_disabled', resolved_at: new Date(at(9)).toISOString(), silent_count: 2 },
      reasons: ['the rule was disabled'],
    })
    expect(messages[1]!.data.devices).toMatchObject([{ recovered_at: null }, { recovered_at: null }])
  })

  it('and is deleted takes its events with it, and says nothing', async () => {
    const tenant = await watched()
    await tenant.say({ a: { silentSince: at(0) } }, 8)
    await judge(8)
    await pool().query('delete from alert_rules where id = $1', [tenant.ruleId])
    await tenant.say({ a: { gap: [at(0), at(9)] } }, 10)
    await judge(11)
    expect(await heard(tenant)).toHaveLength(1)
    const left = await pool().query('select from silence_cursors union all select from alert_event_devices')
    expect(left.rowCount).toBe(0)
  })
})
