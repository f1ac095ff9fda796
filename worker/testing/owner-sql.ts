import { env } from 'cloudflare:workers'
import { inject } from 'vitest'
import { connect } from '../../durable-objects/connect-database.ts'

/** For tests that look at or write what tenants hold: as the owner of the tables, who sees them all. */
export const sql = connect({ DATABASE_URL: inject('databaseUrl'), NEON_PROXY_URL: env.NEON_PROXY_URL })
