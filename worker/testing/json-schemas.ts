import { Validator } from '@cfworker/json-schema'

type JsonObject = Record<string, unknown>

/**
 * The schemas of an OpenAPI document, to validate by. An interpreter of JSON Schema does it: the Workers runtime
 * refuses the code that others generate. `closed`: what a schema does not name is not allowed.
 */
export class JsonSchemas {
  readonly #closed: boolean
  readonly #definitions: JsonObject
  readonly #validators = new Map<object, Validator>()

  constructor(components: Record<string, object>, { closed }: { closed: boolean }) {
    this.#closed = closed
    this.#definitions = mapValues(components, (schema) => adapted(schema, closed))
  }

  /** What is wrong with `value`, as `#/place: fault`; empty: nothing. */
  faults(schema: object, value: unknown): string[] {
    const validator = this.#validators.get(schema) ?? this.#validatorOf(schema)
    return validator
      .validate(value)
      .errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`)
  }

  #validatorOf(schema: object): Validator {
    const root = mapValues({ schema }, (each) => adapted(each, this.#closed))
    const validator = new Validator(
      { $ref: '#/$defs/schema', $defs: { ...this.#definitions, ...root } },
      '2020-12',
      false,
    )
    this.#validators.set(schema, validator)
    return validator
  }
}

/** With references as the validator takes them, and without examples, as it would read an `id` in them. */
function adapted(schema: unknown, closed: boolean): unknown {
  if (!isObject(schema)) return schema
  const { examples: _, ...keywords } = schema
  const out: JsonObject = mapEntries(keywords, ([keyword, value]) => {
    if (keyword === '$ref') return String(value).replace('#/components/schemas/', '#/$defs/')
    if (keyword === 'properties' && isObject(value)) return mapValues(value, (each) => adapted(each, closed))
    // A part of a whole names only some of what the whole has.
    if (Array.isArray(value)) return value.map((each) => adapted(each, closed && keyword !== 'allOf'))
    return adapted(value, closed)
  })
  if (closed && (out['properties'] || out['allOf'])) out['unevaluatedProperties'] = false
  if (closed && out['prefixItems']) out['items'] ??= false
  return out
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const mapEntries = (object: object, map: (entry: [string, unknown]) => unknown): JsonObject =>
  Object.fromEntries(Object.entries(object).map((entry) => [entry[0], map(entry)]))

const mapValues = (object: object, map: (value: unknown) => unknown) =>
  mapEntries(object, ([, value]) => map(value))
