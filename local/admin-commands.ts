import * as v from 'valibot'
import { type Api, ApiError } from './api.ts'
import { SettingsError } from './settings.ts'

export const USAGE = `Usage: npm run admin -- COMMAND
  tenant create NAME [--retention-days N] [--series-limit N] [--shards N]
  tenant list
  tenant update TENANT [--retention-days N] [--series-limit N] [--shards N] [--state active|suspended]
  tenant seal TENANT       write what was accepted into the archive's manifests, to its end
  tenant delete TENANT     remove rows, archive and objects, in the background
  key create TENANT [--scopes ingest,read,manage] [--name NAME] [--expires-at TIME]
  key list TENANT
  key rotate TENANT KEY_ID [--overlap-seconds N]
  key revoke TENANT KEY_ID
  dlq list [TENANT]        messages that failed for good
  dlq retry ID|TENANT      send one again, or all of a tenant
  dlq retry --all          send all again
TENANT is an id or a name; --json prints one JSON object a line.`

/** A line of output in both its forms. */
interface Line {
  json: object
  text: string
  /** What was asked for could not be done: the command ends with 1. */
  failed?: boolean
}

interface Values {
  scopes?: string | undefined
  name?: string | undefined
  'expires-at'?: string | undefined
  'retention-days'?: string | undefined
  'series-limit'?: string | undefined
  shards?: string | undefined
  state?: string | undefined
  'overlap-seconds'?: string | undefined
  all?: boolean | undefined
}

export interface AdminCommand {
  /** How many words follow the command's two; where that varies, whether these are right. */
  parameters: number | ((words: string[], values: Values) => boolean)
  run(api: Api, parameters: string[], values: Values): Promise<Line[]>
}

// Loose: --json prints the API's whole answer.
const tenantSchema = v.looseObject({ id: v.string(), name: v.string(), state: v.optional(v.string()) })
const keySchema = v.looseObject({
  id: v.string(),
  key: v.optional(v.string()),
  name: v.optional(v.nullable(v.string())),
  scopes: v.array(v.string()),
  expires_at: v.optional(v.nullable(v.string())),
  revoked_at: v.optional(v.nullable(v.string())),
})

const letterSchema = v.looseObject({
  id: v.string(),
  tenant_id: v.nullable(v.string()),
  message: v.unknown(),
  reason: v.string(),
  created_at: v.string(),
})
const retrySchema = v.looseObject({ id: v.string(), outcome: v.string(), detail: v.string() })

export const ADMIN_COMMANDS: Record<string, AdminCommand> = {
  'tenant create': { parameters: 1, run: createTenant },
  'tenant list': { parameters: 0, run: listTenants },
  'tenant update': { parameters: 1, run: updateTenant },
  'tenant seal': { parameters: 1, run: sealTenant },
  'tenant delete': { parameters: 1, run: deleteTenant },
  'key create': { parameters: 1, run: createKey },
  'key list': { parameters: 1, run: listKeys },
  'key rotate': { parameters: 2, run: rotateKey },
  'key revoke': { parameters: 2, run: revokeKey },
  'dlq list': { parameters: (words) => words.length <= 1, run: listDeadLetters },
  'dlq retry': {
    parameters: (words, { all = false }) => words.length === (all ? 0 : 1),
    run: retryDeadLetters,
  },
}

async function createTenant(api: Api, [name]: string[], values: Values): Promise<Line[]> {
  const body = { name, ...planOf(values) }
  return [tenantLine(await api.json('/admin/tenants', tenantSchema, { method: 'POST', body }))]
}

async function updateTenant(api: Api, [tenant = '']: string[], values: Values): Promise<Line[]> {
  const body = { ...planOf(values), ...(values.state === undefined ? {} : { state: values.state }) }
  const path = `/admin/tenants/${await tenantId(api, tenant)}`
  return [tenantLine(await api.json(path, tenantSchema, { method: 'PATCH', body }))]
}

async function sealTenant(api: Api, [tenant = '']: string[]): Promise<Line[]> {
  const id = await tenantId(api, tenant)
  await api.send(`/admin/tenants/${id}/seal`, { method: 'POST' })
  return [{ json: { id, sealed: true }, text: `sealed ${id}` }]
}

async function deleteTenant(api: Api, [tenant = '']: string[]): Promise<Line[]> {
  const path = `/admin/tenants/${await tenantId(api, tenant)}`
  return [tenantLine(await api.json(path, tenantSchema, { method: 'DELETE' }))]
}

/** What the options say of a tenant's plan, as the API takes it. */
function planOf(values: Values): Record<string, number> {
  const fields = { retention_days: 'retention-days', series_limit: 'series-limit', shards: 'shards' } as const
  const given = Object.entries(fields).flatMap(([field, option]) => {
    const value = values[option]
    return value === undefined ? [] : [[field, Number(value)] as const]
  })
  return Object.fromEntries(given)
}

async function listTenants(api: Api): Promise<Line[]> {
  return (await api.list('/admin/tenants', tenantSchema)).map(tenantLine)
}

async function createKey(api: Api, [tenant = '']: string[], values: Values): Promise<Line[]> {
  const body = {
    ...(values.scopes === undefined ? {} : { scopes: values.scopes.split(',').map((scope) => scope.trim()) }),
    ...(values.name === undefined ? {} : { name: values.name }),
    ...(values['expires-at'] === undefined ? {} : { expires_at: values['expires-at'] }),
  }
  const id = await tenantId(api, tenant)
  const key = await api.json(`/admin/tenants/${id}/keys`, keySchema, { method: 'POST', body })
  console.error('The key is shown this once.')
  return [keyLine(key)]
}

async function listKeys(api: Api, [tenant = '']: string[]): Promise<Line[]> {
  return (await api.list(`/admin/tenants/${await tenantId(api, tenant)}/keys`, keySchema)).map(keyLine)
}

async function rotateKey(api: Api, [tenant = '', keyId = '']: string[], values: Values): Promise<Line[]> {
  const overlap = values['overlap-seconds']
  const body = overlap === undefined ? {} : { overlap_seconds: Number(overlap) }
  const path = `/admin/tenants/${await tenantId(api, tenant)}/keys/${encodeURIComponent(keyId)}/rotate`
  const key = await api.json(path, keySchema, { method: 'POST', body })
  console.error('The key is shown this once.')
  return [keyLine(key)]
}

async function revokeKey(api: Api, [tenant = '', keyId = '']: string[]): Promise<Line[]> {
  const id = await tenantId(api, tenant)
  await api.send(`/admin/tenants/${id}/keys/${encodeURIComponent(keyId)}`, { method: 'DELETE' })
  return [{ json: { id: keyId, revoked: true }, text: `revoked ${keyId}` }]
}

async function listDeadLetters(api: Api, [tenant]: string[]): Promise<Line[]> {
  return (await deadLetters(api, tenant)).map(letterLine)
}

/** A word of digits is the id of a letter, any other a tenant. What fails again meanwhile is not sent again here. */
async function retryDeadLetters(api: Api, [word]: string[]): Promise<Line[]> {
  if (word !== undefined && /^\d+$/.test(word)) return [await retryDeadLetter(api, word)]
  const lines: Line[] = []
  for (const { id } of await deadLetters(api, word)) {
    lines.push(await retryDeadLetter(api, id).catch((error) => goneMeanwhile(id, error)))
  }
  return lines
}

/** Of a letter that was in the list: somebody else was faster. */
function goneMeanwhile(id: string, error: unknown): Line {
  if (!(error instanceof ApiError) || error.status !== 404) throw error
  const retry = { id, outcome: 'cleared', detail: 'It was retried by somebody else.' }
  return { json: retry, text: retryText(retry) }
}

async function retryDeadLetter(api: Api, id: string): Promise<Line> {
  const retry = await api.json(`/admin/dead-letters/${id}/retry`, retrySchema, { method: 'POST' })
  return { json: retry, text: retryText(retry), failed: retry.outcome === 'kept' }
}

const retryText = ({ id, outcome, detail }: v.InferOutput<typeof retrySchema>) =>
  `${id}  ${outcome}  ${detail}`

async function deadLetters(api: Api, tenant: string | undefined) {
  const filter = tenant === undefined ? '' : `?tenant=${await tenantId(api, tenant)}`
  return api.list(`/admin/dead-letters${filter}`, letterSchema)
}

async function tenantId(api: Api, idOrName: string): Promise<string> {
  const tenants = await api.list('/admin/tenants', tenantSchema)
  const found = tenants.find(({ id }) => id === idOrName) ?? tenants.find(({ name }) => name === idOrName)
  if (!found) throw new SettingsError(`There is no tenant "${idOrName}".`)
  return found.id
}

function tenantLine(tenant: v.InferOutput<typeof tenantSchema>): Line {
  const { id, name, state = 'active' } = tenant
  return { json: tenant, text: `${id}  ${name}${state === 'active' ? '' : `  ${state}`}` }
}

function keyLine(key: v.InferOutput<typeof keySchema>): Line {
  const end = key.revoked_at ? 'revoked' : key.expires_at && `expires ${key.expires_at}`
  const parts = [key.id, key.scopes.join(','), key.name, key.key, end]
  return { json: key, text: parts.filter(Boolean).join('  ') }
}

function letterLine(letter: v.InferOutput<typeof letterSchema>): Line {
  const { id, tenant_id, message, reason, created_at } = letter
  const text = [id, created_at, tenant_id ?? '-', JSON.stringify(message), reason].join('  ')
  return { json: letter, text }
}
