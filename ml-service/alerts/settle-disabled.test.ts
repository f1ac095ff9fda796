import { expect, it } from 'vitest'
import { inTransaction } from '../database.ts'
import { scoreSeries } from '../score/score-series.ts'
import { watchDevices } from '../silence/watch-devices.ts'
import { delivering } from '../testing/delivering.ts'
import { addEndpoint, addRule } from '../testing/seed-alerting.ts'
import { seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { openArtefactStore } from '../train/artefact-store.ts'

const { pool, deliver, receiver: startReceiver } = delivering()

const START = Date.UTC(2026, 0, 1)
const failsFrom = (first: number) => (i: number, value: number) => (i >= first ? value + 40 : value)

it('an alert of a rule that was disabled is resolved for that reason, told once, and opens anew when it is enabled', async () => {
  const receiver = await startReceiver()
  const tenant = await seedTenant(pool())
  const { tenantId } = tenant
  await addEndpoint(pool(), tenantId, receiver.url)
  const ruleId = await addRule(pool(), tenantId, { maxAgeSeconds: 31_536_000 })
  const series = await tenant.series('press', 'force')
  const store = openArtefactStore(tenant.modelDir)
  const enable = (enabled: boolean) => pool().query('update alert_rules set enabled = $1', [enabled])
  /** Scores so many windows, of which those from the hundred-and-eightieth on stand out. */
  const score = async (from: number, count: number) => {
    await tenant.write(
      series,
      steadyPoints(START, count, { change: failsFrom(180) }).filter(([ts]) => ts >= START + from * WINDOW),
    )
    const now = START + count * WINDOW
    await inTransaction(pool(), series, (db) => scoreSeries(db, { store, now }, series))
    return now
  }
  let now = await score(0, 185)
  await enable(false)
  expect(await watchDevices(pool(), now)).toMatchObject({ settled: 1 })
  expect(await watchDevices(pool(), now + 1)).toMatchObject({ settled: 0 })
  await enable(true)
  now = await score(185, 190)
  await deliver(now)
  const { rows } = await pool().query('select state, resolved_reason from alert_events order by opened_at')
  expect(rows).toEqual([
    { state: 'resolved', resolved_reason: 'rule_disabled' },
    { state: 'open', resolved_reason: null },
  ])
  // They were sent at the time of the data, so that `verify` would take them for replays; in order alert by alert.
  const messages = receiver.received.map(({ body }) => JSON.parse(body))
  messages.sort((a, b) => a.data.sequence - b.data.sequence)
  expect(messages).toMatchObject([
    { type: 'alert.opened', data: { rule_id: ruleId, sequence: 1, resolved_reason: null } },
    { type: 'alert.resolved', data: { sequence: 2, resolved_reason: 'rule_disabled' } },
    { type: 'alert.opened', data: { sequence: 3 } },
  ])
})
