import * as v from 'valibot'
import type { Api } from './api.ts'
import { SettingsError } from './settings.ts'

export const USAGE = `Usage: npm run admin -- COMMAND
  tenant create NAME [--retention-days N]
  tenant list
  key create TENANT [--scopes ingest,read,manage] [--name NAME] [--expires-at TIME]
  key list TENANT
  key revoke TENANT KEY_ID
TENANT is an id or a name; --json prints one JSON object a line.`

/** A line of output in both its forms. */
interface Line {
  json: object
  text: string
}

interface Values {
  scopes?: string | undefined
  name?: string | undefined
  'expires-at'?: string | undefined
  'retention-days'?: string | undefined
}

export interface AdminCommand {
  /** How many words follow the command's two. */
  parameters: number
  run(api: Api, parameters: string[], values: Values): Promise<Line[]>
}

// Loose: --json prints the API's whole answer.
const tenantSchema = v.looseObject({ id: v.string(), name: v.string(), state: v.optional(v.string()) })
const keySchema = v.looseObject({
  id: v.string(),
  key: v.optional(v.string()),
  scopes: v.array(v.string()),
  revoked_at: v.optional(v.nullable(v.string())),
})

export const ADMIN_COMMANDS: Record<string, AdminCommand> = {
  'tenant create': { parameters: 1, run: createTenant },
  'tenant list': { parameters: 0, run: listTenants },
  'key create': { parameters: 1, run: createKey },
  'key list': { parameters: 1, run: listKeys },
  'key revoke': { parameters: 2, run: revokeKey },
}

async function createTenant(api: Api, [name]: string[], values: Values): Promise<Line[]> {
  const days = values['retention-days']
  const body = { name, ...(days === undefined ? {} : { retention_days: Number(days) }) }
  return [tenantLine(await api.json('/admin/tenants', tenantSchema, { method: 'POST', body }))]
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

async function revokeKey(api: Api, [tenant = '', keyId = '']: string[]): Promise<Line[]> {
  const id = await tenantId(api, tenant)
  await api.send(`/admin/tenants/${id}/keys/${encodeURIComponent(keyId)}`, { method: 'DELETE' })
  return [{ json: { id: keyId, revoked: true }, text: `revoked ${keyId}` }]
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
  const parts = [key.id, key.scopes.join(','), key.key, key.revoked_at ? 'revoked' : undefined]
  return { json: key, text: parts.filter((part) => part !== undefined).join('  ') }
}
