import { customType, timestamp, uuid } from 'drizzle-orm/pg-core'

/** An instant, a Date in code. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })

/** The first column of every table: no row without its tenant. */
export const tenantId = () => uuid('tenant_id').notNull()

/** Both drivers take a Uint8Array and give a Buffer, but raw rows of neon-http arrive as Postgres' hex text. */
export const bytea = customType<{ data: Uint8Array; driverData: Uint8Array | string }>({
  dataType: () => 'bytea',
  fromDriver: (value) =>
    typeof value === 'string' ? Uint8Array.from(Buffer.from(value.slice(2), 'hex')) : Uint8Array.from(value),
})
