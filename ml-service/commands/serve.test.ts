import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Webhook } from 'standardwebhooks'
import { afterEach, expect, it } from 'vitest'
import { ownDatabase } from '../testing/own-database.ts'
import { startCli } from '../testing/run-cli.ts'
import { addEndpoint, addRule, SECRET_KEY } from '../testing/seed-alerting.ts'
import { seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { startReceiver } from '../testing/webhook-receiver.ts'

// The service works on everything that is due, so it has a database of its own.
const { pool, url } = ownDatabase()
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** Starts the service on a free port; `line` waits for the line of an event and returns it. */
function startService(env: Record<string, string>) {
  const child = startCli(['serve'], { PORT: '0', WEBHOOK_SECRET_KEY: SECRET_KEY, ...env })
  children.push(child)
  const lines: { event: string; port?: number; level: string }[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: child.stderr! }).on('line', (text) => {
    lines.push(JSON.parse(text))
    for (const wake of waiting) wake()
  })
  const line = async (event: string) => {
    for (;;) {
      const found = lines.find((entry) => entry.event === event)
      if (found) return found
      await new Promise<void>((resolve) => waiting.add(resolve))
    }
  }
  return { child, lines, line, exited: once(child, 'close') }
}

it('scores what becomes due, delivers its alert signed, tells how it is, and ends on SIGTERM', async () => {
  let arrived: () => void
  const opened = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const receiver = await startReceiver((response) => {
    response.writeHead(204).end()
    arrived()
  })
  const tenant = await seedTenant(pool())
  const service = startService({
    DATABASE_URL: url(),
    MODEL_DIR: tenant.modelDir,
    WEBHOOK_ALLOW_PRIVATE: '1',
  })
  const { port } = await service.line('serving')
  await addRule(pool(), tenant.tenantId)
  const { secret } = await addEndpoint(pool(), tenant.tenantId, receiver.url)
  const series = await tenant.series('pump', 'temperature')
  const start = Math.floor(Date.now() / WINDOW) * WINDOW - 200 * WINDOW
  await tenant.write(series, steadyPoints(start, 200, { change: (i, value) => (i === 199 ? 500 : value) }))
  await opened
  const { body, headers } = receiver.received[0]!
  const verified = new Webhook(secret).verify(body, {
    'webhook-id': String(headers['webhook-id']),
    'webhook-timestamp': String(headers['webhook-timestamp']),
    'webhook-signature': String(headers['webhook-signature']),
  })
  expect(verified).toMatchObject({
    type: 'alert.opened',
    data: { metric_id: series.metricId, state: 'open' },
  })
  const health = await fetch(`http://127.0.0.1:${port}/healthz`)
  expect([health.status, await health.json()]).toEqual([200, { status: 'ok', database: 'up' }])
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(metrics).toMatch(/^edgepulse_ml_windows_scored_total \d+$/m)
  expect(metrics).toMatch(/^edgepulse_ml_deliveries_total\{outcome="delivered"\} \d+$/m)
  expect(metrics).toMatch(/^edgepulse_ml_oldest_due_seconds\{work="score"\} [\d.e-]+$/m)
  expect(metrics).toMatch(/^edgepulse_ml_score_duration_seconds_count [1-9]/m)
  expect(metrics).toMatch(/^process_resident_memory_bytes \d+$/m)
  // infra/ml-logs.ts makes metrics of these.
  expect(await service.line('backlog')).toMatchObject({
    scoring_seconds: expect.any(Number),
    delivery_seconds: expect.any(Number),
    deliveries_failed: 0,
  })
  service.child.kill('SIGTERM')
  expect(await service.exited).toEqual([0, null])
  await receiver.stop()
})

it('keeps running while Postgres is away, and says so once', async () => {
  const tenant = await seedTenant(pool())
  const service = startService({
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
    MODEL_DIR: tenant.modelDir,
  })
  const { port } = await service.line('serving')
  await service.line('postgres_away')
  const health = await fetch(`http://127.0.0.1:${port}/healthz`)
  expect(await health.json()).toEqual({ status: 'ok', database: 'down' })
  expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toMatch(
    /^edgepulse_ml_database_up 0$/m,
  )
  service.child.kill('SIGINT')
  expect(await service.exited).toEqual([0, null])
  expect(service.lines.filter(({ level }) => level !== 'info')).toHaveLength(1)
})
