import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { default as addFormats } from 'ajv-formats'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { freePort } from '../local/ports.ts'
import { alertMessage } from '../ml-service/alerts/alert-message.ts'
import { recoveryReasons, silenceMessage, silenceReasons } from '../ml-service/silence/silence-message.ts'
import { disabledMessage } from '../ml-service/webhooks/endpoint-health.ts'
import { signWebhook, webhookSecretOf } from '../telemetry/signature.ts'

const guide = readFileSync(path.join(import.meta.dirname, 'webhooks.md'), 'utf8')
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code!)

const series = { tenantId: randomUUID(), metricId: randomUUID(), device: 'pump', metric: 'temperature' }
const event = {
  ...{ id: randomUUID(), ruleId: randomUUID(), metricId: series.metricId, announced: true },
  ...{
    windowEnd: 1e12,
    openedAt: 1e12,
    score: 1.5,
    threshold: 1,
    reasons: ['é ✓'],
    acknowledgementNote: null,
  },
  ...{ state: 'open' as const, resolvedAt: null, dataMissingSince: null, acknowledgedAt: null },
  resolvedReason: null,
}
const OPENED = alertMessage(event, series, 1).body

const silence = {
  ...{ id: randomUUID(), ruleId: randomUUID(), state: 'open' as const, openedAt: 1e12, resolvedAt: null },
  ...{ resolvedReason: null, acknowledgedAt: null, acknowledgementNote: null, deviceCount: 150, sequence: 1 },
  announced: true,
}
const devices = Array.from({ length: 150 }, (_, i) => ({
  ...{ deviceId: randomUUID(), device: `pump-${i}`, lastSeenAt: 1e12 - 300_000, silentAt: 1e12 },
  ...{ cadenceMs: 60_000, recoveredAt: null },
}))
const SILENT = silenceMessage(silence, devices, { silentCount: 150, reasons: silenceReasons(devices) }).body
const [first] = devices.map((device) => ({ ...device, recoveredAt: 1e12 + 5 }))
const RECOVERED = silenceMessage({ ...silence, sequence: 2 }, [first!], {
  ...{ silentCount: 149, reasons: recoveryReasons([first!]) },
}).body

describe('the schema', () => {
  const [schema] = blocks('json')
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  const valid = ajv.compile(JSON.parse(schema!))
  const webhookId = randomUUID()

  it.each([
    ['alert.opened', OPENED],
    ['device.silent', SILENT],
    ['device.recovered', RECOVERED],
    ['alert.resolved', alertMessage({ ...event, state: 'resolved', resolvedAt: 1e12 + 1 }, series, 2).body],
    [
      'webhook.disabled',
      disabledMessage({ webhookId, url: 'https://a.example/', reason: 'gone' }, 1e12).body,
    ],
  ])('fits %s', (type, body) => {
    expect([JSON.parse(body).type, valid(JSON.parse(body)), valid.errors]).toEqual([type, true, null])
  })

  it.each([
    ['an alert', 0, OPENED],
    ['a silence', 1, SILENT],
  ])('names every field of %s', (_, index, body) => {
    const described = JSON.parse(schema!).oneOf[index].properties.data
    expect(Object.keys(described.properties)).toEqual(Object.keys(JSON.parse(body).data))
    expect(described.required).toEqual(Object.keys(described.properties))
  })

  it('holds of a silence what a message has room for', () => {
    const { data } = JSON.parse(SILENT)
    expect([data.devices.length, data.device_count, data.device]).toEqual([100, 150, null])
    expect(JSON.parse(RECOVERED).data).toMatchObject({
      device: 'pump-0',
      devices: [{ recovered_at: expect.any(String) }],
    })
  })

  it('refuses what no message is', () => {
    expect(valid({ type: 'alert.opened', timestamp: new Date().toISOString(), data: {} })).toBe(false)
  })
})

/** The programs of the guide in the languages that this machine runs. */
const PROGRAMS = [
  { language: 'js', command: process.execPath, file: 'receiver.mjs', asked: '--version' },
  { language: 'python', command: 'python3', file: 'receiver.py', asked: '--version' },
  { language: 'go', command: 'go', file: 'receiver.go', asked: 'version' },
].filter(({ command, asked }) => spawnSync(command, [asked]).status === 0)

/** What runs a program: itself where it is compiled, as `go run` leaves its child behind. */
function startOf(command: string, file: string): [string, string[]] {
  if (command !== 'go') return [command, [path.join(folder, file)]]
  const built = spawnSync('go', ['build', '-o', 'receiver', file], { cwd: folder, encoding: 'utf8' })
  expect(built.stderr).toBe('')
  return [path.join(folder, 'receiver'), []]
}

const folder = mkdtempSync(path.join(tmpdir(), 'edgepulse-guide-'))
symlinkSync(path.resolve(import.meta.dirname, '../node_modules'), path.join(folder, 'node_modules'))
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill()
  rmSync(folder, { recursive: true })
})

describe.each(PROGRAMS)('the receiver in $language', ({ language, command, file }) => {
  it('takes each message once, under the old and the new secret, and nothing that is not genuine', async () => {
    const [code] = blocks(language)
    writeFileSync(path.join(folder, file), code!)
    const [port, secret, other] = [
      await freePort(),
      webhookSecretOf(randomBytes(32)),
      webhookSecretOf(randomBytes(24)),
    ]
    const env = { ...process.env, WEBHOOK_SECRET: secret, PORT: String(port) }
    const [program, args] = startOf(command, file)
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
    })

    const send = async (
      change: {
        secrets?: string[]
        body?: string
        ageSeconds?: number
        id?: string
        signature?: string
      } = {},
    ) => {
      const { secrets = [secret], body = OPENED, ageSeconds = 0, id = 'm-1' } = change
      const timestampSeconds = Math.floor(Date.now() / 1000) - ageSeconds
      const signature =
        change.signature ?? (await signWebhook(secrets, { id, timestampSeconds, body: OPENED }))
      const headers = {
        'webhook-id': id,
        'webhook-timestamp': String(timestampSeconds),
        'webhook-signature': signature,
      }
      const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body })
      return answer.status
    }

    await vi.waitFor(async () => expect(await send({ signature: 'none' })).toBe(401), 10_000)
    expect(await send()).toBe(204)
    expect(await send({ secrets: [other, secret] })).toBe(204)
    expect(await send({ secrets: [other] })).toBe(401)
    expect(await send({ body: `${OPENED} ` })).toBe(401)
    expect(await send({ ageSeconds: 310 })).toBe(401)
    expect(await send({ ageSeconds: -310 })).toBe(401)
    expect(await send({ id: 'm-2', secrets: [secret, other] })).toBe(204)
    await vi.waitFor(() => expect(printed.match(/^alert\.opened .*temperature/gm)).toHaveLength(2))
    child.kill()
    await once(child, 'exit')
  })
})
