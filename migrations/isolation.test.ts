import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { insertTenantRows, type TenantRows } from './testing/tenant-rows.ts'

/* What Postgres itself refuses, whatever statement it is given: see docs/isolation.md. */

const pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 2 })
const SERVICES = ['edgepulse_edge', 'edgepulse_ml']
const ROLES = [...SERVICES, 'edgepulse_operator']
const NOT_ALLOWED = '42501'

interface Table {
  name: string
  /** Where the tenant's id is. */
  tenant: string
  secured: boolean
}

/** Asked of the catalogue, so that no new table is forgotten. */
const { rows: tables } = await pool.query<Table>(`
  select c.relname::text as name, a.attname::text as tenant, c.relrowsecurity as secured
    from pg_class c join pg_attribute a on a.attrelid = c.oid
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
     and a.attname = case c.relname when 'tenants' then 'id' else 'tenant_id' end order by 1`)

/** The tables of each service that it has this right on, as a whole. */
async function granted(right: string): Promise<[role: string, table: string, tenant: string][]> {
  const { rows } = await pool.query<{ role: string; name: string }>(
    `select role, name from unnest($1::text[]) as role, unnest($2::text[]) as name
      where has_table_privilege(role, name, $3) order by 1, 2`,
    [SERVICES, tables.map(({ name }) => name), right],
  )
  return rows.map(({ role, name }) => [role, name, tables.find((table) => table.name === name)!.tenant])
}

const [selects, inserts, updates, deletes] = await Promise.all(
  ['select', 'insert', 'update', 'delete'].map(granted),
)

let mine: TenantRows
let theirs: TenantRows
beforeAll(async () => {
  const query = (text: string) => pool.query(text)
  mine = await insertTenantRows(query)
  theirs = await insertTenantRows(query)
})
afterAll(() => pool.end())

/** Runs a statement as a service does, for a tenant or for none, and takes back what it did. */
async function as(role: string, tenantId: string | undefined, text: string, values: unknown[] = []) {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query(`select set_config('role', $1, true)`, [role])
    if (tenantId !== undefined) {
      await client.query(`select set_config('edgepulse.tenant_id', $1, true)`, [tenantId])
    }
    return await client.query(text, values)
  } finally {
    await client.query('rollback')
    client.release()
  }
}

describe('the roles', () => {
  test('have no right beyond what tables grant them', async () => {
    const { rows } = await pool.query(
      `select rolname::text as name, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit
       from pg_roles where rolname = any($1) order by 1`,
      [ROLES],
    )
    const none = { rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false }
    const role = (name: string) => ({ name, ...none, rolreplication: false, rolinherit: false })
    expect(rows).toEqual(ROLES.map(role))
  })

  test('own nothing and belong to nothing but the operator, which a transaction must ask for', async () => {
    const owned = await pool.query(
      `select objid::regclass from pg_shdepend where refobjid = any($1::regrole[]) and deptype = 'o'`,
      [ROLES],
    )
    expect(owned.rows).toEqual([])
    const { rows } = await pool.query(
      `select member::regrole::text as member, roleid::regrole::text as of, inherit_option as inherits
       from pg_auth_members where member = any($1::regrole[]) order by 1`,
      [ROLES],
    )
    const operator = { of: 'edgepulse_operator', inherits: false }
    expect(rows).toEqual(SERVICES.map((member) => ({ member, ...operator })))
  })

  test('reach partitions through their table only', async () => {
    const { rows } = await pool.query(
      `select relname from pg_class, unnest($1::text[]) as role
       where relispartition and relkind = 'r' and has_any_column_privilege(role, oid, 'select, insert, update')`,
      [ROLES],
    )
    expect(rows).toEqual([])
  })

  test('cannot drop a day that a tenant may still keep', async () => {
    const drop = async (day: string) => {
      const { rows } = await as(
        'edgepulse_operator',
        undefined,
        `select drop_datapoint_day($1, 'infinity') as done`,
        [day],
      )
      return rows[0].done
    }
    await pool.query('select ensure_datapoint_partitions($1, $1)', ['1995-05-05'])
    const { rows } = await pool.query(
      `select (current_date - max(retention_days))::text as kept from tenants`,
    )
    expect(await drop(rows[0].kept)).toBe(false)
    expect(await drop('1995-05-05')).toBe(true)
    await pool.query('drop table datapoints_19950505')
  })
})

describe('every table that holds something of a tenant', () => {
  test('has row-level security and the policy of one tenant, and its rows here', async () => {
    expect(tables.length).toBeGreaterThan(15)
    expect(tables.filter(({ secured }) => !secured)).toEqual([])
    const { rows } = await pool.query(
      `select tablename::text as name from pg_policies where policyname = 'one_tenant' and cmd = 'ALL'
         and roles = '{edgepulse_edge,edgepulse_ml}' and with_check is null order by 1`,
    )
    expect(rows).toEqual(tables.map(({ name }) => ({ name })))
    for (const { name, tenant } of tables) {
      const found = await pool.query(`select from ${name} where ${tenant} = $1`, [mine.tenantId])
      expect(found.rowCount, name).toBeGreaterThan(0)
    }
  })

  test.each(selects!)(
    '%s sees in %s without a tenant nothing, and else its tenant’s rows',
    async (role, name, tenant) => {
      const forgotten = `select ${tenant} as tenant from ${name}`
      expect((await as(role, undefined, forgotten)).rows).toEqual([])
      expect((await as(role, '', forgotten)).rows).toEqual([])
      const { rows } = await as(role, mine.tenantId, forgotten)
      expect([...new Set(rows.map((row) => row.tenant))]).toEqual([mine.tenantId])
    },
  )

  test.each(inserts!)('%s cannot insert into %s for another tenant', async (role, name, tenant) => {
    const { rows } = await pool.query(`select to_jsonb(t) as row from ${name} t where ${tenant} = $1`, [
      theirs.tenantId,
    ])
    const { rows: columns } = await pool.query<{ name: string }>(
      `select quote_ident(attname) as name from pg_attribute where attrelid = $1::regclass and attnum > 0
         and not attisdropped and attgenerated = '' and attidentity = ''`,
      [name],
    )
    const list = columns.map((column) => column.name).join(', ')
    const insert = `insert into ${name} (${list}) select ${list} from jsonb_populate_record(null::${name}, $1)`
    await expect(as(role, mine.tenantId, insert, [rows[0].row])).rejects.toMatchObject({ code: NOT_ALLOWED })
    await expect(as(role, undefined, insert, [rows[0].row])).rejects.toMatchObject({ code: NOT_ALLOWED })
  })

  test.each(updates!)(
    '%s cannot give a row of %s to another tenant, nor take one',
    async (role, name, tenant) => {
      const give = `update ${name} set ${tenant} = $1`
      await expect(as(role, mine.tenantId, give, [theirs.tenantId])).rejects.toMatchObject({
        code: NOT_ALLOWED,
      })
      const take = `update ${name} set ${tenant} = $1 where ${tenant} = $2`
      expect((await as(role, mine.tenantId, take, [mine.tenantId, theirs.tenantId])).rowCount).toBe(0)
    },
  )

  test.each(deletes!)('%s deletes from %s what is its tenant’s, and no more', async (role, name, tenant) => {
    const own = await pool.query(`select from ${name} where ${tenant} = $1`, [mine.tenantId])
    expect((await as(role, mine.tenantId, `delete from ${name}`)).rowCount).toBe(own.rowCount)
    const other = await as(role, mine.tenantId, `delete from ${name} where ${tenant} = $1`, [theirs.tenantId])
    expect(other.rowCount).toBe(0)
  })
})

describe('an operator', () => {
  test('sees of all tenants what docs/isolation.md lists, and nothing else', async () => {
    const { rows } = await pool.query<{ name: string; columns: string }>(
      `select c.relname::text as name, string_agg(attname, ' ' order by attnum) as columns
         from pg_class c join pg_attribute a on attrelid = c.oid and attnum > 0 and not attisdropped
        where c.relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
          and has_column_privilege('edgepulse_operator', c.oid, attnum, 'select') group by 1 order by 1`,
    )
    expect(rows.map(({ name, columns }) => `${name}: ${columns}`)).toEqual([
      'alert_rules: tenant_id enabled kind',
      'dead_letters: id tenant_id body reason created_at',
      'due_metrics: tenant_id metric_id due_since revision changed_from',
      'tenants: id name state retention_days series_limit shards rate_limit created_at',
      'webhook_deliveries: tenant_id id webhook_id state next_attempt_at alert_id sequence claimed_until',
      'webhook_endpoints: tenant_id id enabled',
    ])
  })
})
