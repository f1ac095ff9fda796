import { toJsonSchema } from '@valibot/to-json-schema'
import type * as v from 'valibot'
import { beforeAll, expect, it } from 'vitest'
import * as schemas from '../../dashboard/api/schemas.ts'
import { app } from '../app.ts'

interface Schema {
  $ref?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
}

/** A schema of a single type. */
interface Kind extends Schema {
  type: string
}

let components: Record<string, Schema>

beforeAll(async () => {
  const answer = await app.request('/v1/openapi.json')
  components = JSON.parse(await answer.text()).components.schemas
})

const READ: [string, v.GenericSchema][] = [
  ['Device', schemas.deviceSchema],
  ['Metric', schemas.metricSchema],
  ['Window', schemas.windowSchema],
  ['Anomaly', schemas.anomalySchema],
  ['TopAnomaly', schemas.topAnomalySchema],
  ['Status', schemas.statusSchema],
  ['Usage', schemas.usageSchema],
  ['Batch', schemas.batchSchema],
  ['Alert', schemas.alertSchema],
  ['AlertRule', schemas.ruleSchema],
  ['AlertRulePreview', schemas.rulePreviewSchema],
  ['Webhook', schemas.webhookSchema],
  ['CreatedWebhook', schemas.createdWebhookSchema],
  ['WebhookSecret', schemas.secretSchema],
  ['Delivery', schemas.deliverySchema],
  ['DevicePage', schemas.pageOf(schemas.deviceSchema)],
]

it.each(READ)('the page reads %s as the API describes it', (name, schema) => {
  const read = toJsonSchema(schema, { typeMode: 'input', errorMode: 'ignore' }) as Schema
  expect(components).toHaveProperty(name)
  expect(faults(read, { $ref: `#/components/schemas/${name}` }, name)).toEqual([])
})

it('a field that the API does not promise is noticed', () => {
  const read: Schema = {
    properties: { id: { type: 'number' }, last_ts: { type: 'string' }, other: { type: 'string' } },
    required: ['id', 'last_ts', 'other'],
  }
  expect(faults(read, { $ref: '#/components/schemas/Metric' }, 'Metric')).toEqual([
    'Metric.id may be string',
    'Metric.last_ts may be null',
    'Metric.other is not promised',
  ])
})

/** Where answers that fit `told` would not be taken by `read`. */
function faults(read: Schema, told: Schema, place: string): string[] {
  const kinds = kindsOf(told)
  const taken = kindsOf(read)
  const names = taken.flatMap(nameOf)
  // Who takes any string takes each of a choice.
  const strays = kinds.filter(({ type }) => !names.includes(type)).flatMap(nameOf)
  const inner = taken.flatMap((ours) => {
    const theirs = kinds.filter((kind) => kind.type === ours.type)
    return theirs.flatMap((kind) => innerFaults(ours, kind, place))
  })
  const missing = strays.filter((name) => !names.includes(name))
  return [...missing.map((name) => `${place} may be ${name}`), ...inner]
}

function innerFaults(read: Schema, told: Schema, place: string): string[] {
  if (read.items) return faults(read.items, told.items ?? {}, `${place}[]`)
  return Object.entries(read.properties ?? {}).flatMap(([name, schema]) => {
    const promised = told.properties?.[name]
    if (!promised || !told.required?.includes(name)) {
      return read.required?.includes(name) ? [`${place}.${name} is not promised`] : []
    }
    return faults(schema, promised, `${place}.${name}`)
  })
}

/** The alternatives that a schema allows, references followed. */
function kindsOf(schema: Schema): Kind[] {
  if (schema.$ref) return kindsOf(components[schema.$ref.split('/').at(-1)!]!)
  if (schema.anyOf) return schema.anyOf.flatMap(kindsOf)
  const types = schema.type ?? (schema.properties ? 'object' : 'string')
  return [types].flat().map((type) => ({ ...schema, type }))
}

/** The type of an alternative; of a choice, each member. An integer is a number to read. */
function nameOf({ type, enum: members, const: only }: Kind): string[] {
  if (members) return members.map(String)
  if (only !== undefined) return [String(only)]
  return [type === 'integer' ? 'number' : type]
}
