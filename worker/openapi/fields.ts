import * as v from 'valibot'

/** An id that we gave. */
export const Id = v.pipe(v.string(), v.uuid())

/** An instant in an answer: a Date in code, ISO 8601 in UTC with milliseconds in JSON. */
export const Instant = v.date()

/** A schema with a sentence for the reader of the API's description. */
export const told = <const Schema extends v.GenericSchema>(schema: Schema, description: string) =>
  v.pipe(schema, v.description(description))

/** A schema with a name of its own in the API's description: others refer to it. */
export const component = <const Schema extends v.GenericSchema>(
  name: string,
  schema: Schema,
  description: string,
  example?: Record<string, unknown>,
) => v.pipe(schema, v.metadata({ ref: name, description, ...(example && { examples: [example] }) }))

/** A page of a list. */
export const pageOf = <const Row extends v.GenericSchema>(name: string, row: Row) =>
  component(
    name,
    v.object({
      data: v.array(row),
      next_cursor: told(v.nullable(v.string()), 'The `cursor` of the next page; null on the last one.'),
    }),
    'One page of a list.',
  )
