import * as v from 'valibot'
import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'
import { Api, ApiError } from '../api.ts'
import type { RunningStack } from '../run-stack.ts'
import { type DemoState, readDemoState, writeDemoState } from './demo-state.ts'

/** The machine's record spans 69 days. */
const RETENTION_DAYS = 90

/**
 * Past this a run that was cut short is begun anew: alerts on windows older than 24 h are stored but not sent, so
 * a failure that ended long ago would never reach the receiver.
 */
const RESUME_WITHIN_MS = 12 * 3_600_000

/** Past this retention would soon begin to take away what a complete run compares. */
const REUSE_WITHIN_MS = 14 * 24 * 3_600_000

const idSchema = v.object({ id: v.string() })

/** The demo tenant of the state folder, made now or by an earlier run, with its rule and its webhook to `url`. */
export async function demoTenant(
  running: RunningStack,
  url: string,
): Promise<{ api: Api; state: DemoState }> {
  const known = readDemoState(running.stateDir)
  const isCurrent = known && Date.now() - known.anchor < (known.sent ? REUSE_WITHIN_MS : RESUME_WITHIN_MS)
  const api = isCurrent && (await reachable(running, known, url))
  if (api) return { api, state: known }
  const state = await createTenant(running, url)
  writeDemoState(running.stateDir, state)
  return { api: apiOf(running, state.key), state }
}

const apiOf = ({ stack, signal }: RunningStack, token: string) =>
  new Api({ url: stack.url, token, patienceMs: 60_000, signal })

/** The tenant's API when its key and webhook still hold; the receiver has another port on every start. */
async function reachable(running: RunningStack, state: DemoState, url: string): Promise<Api | undefined> {
  const api = apiOf(running, state.key)
  try {
    await api.send(`/v1/webhooks/${state.webhook_id}`, { method: 'PATCH', body: { url } })
    return api
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 404)) return undefined
    throw error
  }
}

async function createTenant(running: RunningStack, url: string): Promise<DemoState> {
  const admin = apiOf(running, running.stack.adminToken)
  const tenants = await admin.list('/admin/tenants', v.object({ name: v.string() }))
  const taken = new Set(tenants.map(({ name }) => name))
  let tenant = 'demo'
  for (let n = 2; taken.has(tenant); n += 1) tenant = `demo-${n}`
  const { id } = await admin.json('/admin/tenants', idSchema, {
    method: 'POST',
    body: { name: tenant, retention_days: RETENTION_DAYS },
  })
  const { key } = await admin.json(`/admin/tenants/${id}/keys`, v.object({ key: v.string() }), {
    method: 'POST',
    body: { name: 'demo', scopes: ['ingest', 'read', 'manage'] },
  })
  const api = apiOf(running, key)
  const rule = { name: 'anomalous on any metric', metric_id: null, threshold: 1 }
  await api.send('/v1/alert-rules', { method: 'POST', body: rule })
  const webhook = await api.json('/v1/webhooks', v.object({ id: v.string(), secret: v.string() }), {
    method: 'POST',
    body: { url },
  })
  // The window before the one that is running now, so that the minute series do not reach into the future.
  const anchor = windowStartOf(Date.now()) - WINDOW_MS
  return { tenant_id: id, tenant, key, webhook_id: webhook.id, webhook_secret: webhook.secret, anchor }
}
