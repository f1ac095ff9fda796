import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { Api } from '../local/api.ts'
import type { DevFile } from '../local/dev-file.ts'

const PATHS = ['devices', 'metrics', 'anomalies', 'usage', 'status', 'alerts', 'alert-rules', 'webhooks']
const WITHIN_MS = 10_000

/**
 * Reads a tenant of its own all the while, as dashboards would; `stop` gives every answer that was neither the
 * data nor a 503 with Retry-After, and those that took longer than 10 s.
 */
export async function startReading({ url, admin_token }: DevFile) {
  const headers = { 'x-api-key': await createKey(new Api({ url, token: admin_token })) }
  const wrong: string[] = []
  let stopped = false
  const read = async (path: string) => {
    while (!stopped) {
      try {
        const answer = await fetch(`${url}/v1/${path}`, { headers, signal: AbortSignal.timeout(WITHIN_MS) })
        const text = await answer.text()
        if (!isHonest(answer)) wrong.push(`${path}: ${answer.status} ${text}`)
      } catch (error) {
        // While the Worker itself is down nobody answers; that is no wrong answer.
        if (error instanceof DOMException) wrong.push(`${path}: ${error.name}`)
      }
      await sleep(50)
    }
  }
  const reading = Promise.all(PATHS.map(read))
  const stop = async () => {
    stopped = true
    await reading
    return wrong
  }
  return { stop }
}

const isHonest = ({ status, headers }: Response) =>
  status === 200 || (status === 503 && /^[1-9]\d*$/.test(headers.get('retry-after') ?? ''))

async function createKey(admin: Api): Promise<string> {
  const post = <T extends v.GenericSchema>(path: string, schema: T, body: object) =>
    admin.json(path, schema, { method: 'POST', body })
  const { id } = await post('/admin/tenants', v.object({ id: v.string() }), { name: 'reader' })
  const path = `/admin/tenants/${id}/keys`
  return (await post(path, v.object({ key: v.string() }), { scopes: ['read'] })).key
}
