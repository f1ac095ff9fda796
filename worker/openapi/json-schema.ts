import { type ConversionConfig, type JsonSchema, toJsonSchema } from '@valibot/to-json-schema'
import { type DescribeRouteOptions, resolver } from 'hono-openapi'
import type * as v from 'valibot'

/** Parameters of a query or a path, by name. */
export type ParameterSchema = v.GenericSchema & { entries: Record<string, v.GenericSchema> }

/** As OpenAPI 3.1 has it. What only code can check is ignored: the description beside it tells it. */
const CONVERSION: ConversionConfig = {
  target: 'draft-2020-12',
  errorMode: 'ignore',
  overrideSchema: ({ valibotSchema, jsonSchema }) => {
    if (valibotSchema.type === 'date') return { type: 'string', format: 'date-time', pattern: '\\.\\d{3}Z$' }
    return valibotSchema.type === 'nullable' || valibotSchema.type === 'nullish'
      ? orNull(jsonSchema)
      : undefined
  },
}

/** `{ type: [T, 'null'] }` where the choice is no more than that: readers show it as one line. */
function orNull(jsonSchema: JsonSchema): JsonSchema | undefined {
  const [inner] = jsonSchema.anyOf ?? []
  if (typeof inner !== 'object' || typeof inner.type !== 'string' || inner.enum) return undefined
  const { anyOf: _, ...rest } = jsonSchema
  return { ...inner, ...rest, type: [inner.type, 'null'] }
}

/** A body as it is sent: before defaults and transformations. */
export const requestSchema = (schema: v.GenericSchema) =>
  resolver(schema, { options: { ...CONVERSION, typeMode: 'input' } })

export const answerSchema = (schema: v.GenericSchema) =>
  resolver(schema, { options: { ...CONVERSION, typeMode: 'output' } })

/** The parameters in the form of what they mean: `limit` is an integer, however it is spelt in a URL. */
export function parametersOf(place: 'query' | 'path' | 'header', { entries }: ParameterSchema) {
  return Object.entries(entries).map(([name, entry]): Parameter => {
    const { $schema: _, description, ...schema } = toJsonSchema(entry, { ...CONVERSION, typeMode: 'output' })
    const required = place === 'path' || entry.type !== 'optional'
    // One dialect in the words of two libraries.
    const described = { ...(description && { description }), schema: schema as Parameter['schema'] & object }
    return { in: place, name, required, ...described }
  })
}

type Parameter = Exclude<NonNullable<DescribeRouteOptions['parameters']>[number], { $ref: string }>
