import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { upsertMetrics } from '../../telemetry/batch-statements.ts'
import { changeIn, seenIn, unitHistory } from '../../telemetry/testing/unit-history.ts'
import { type UnitRecord, type UnitSeen, withUnit } from '../../telemetry/unit-record.ts'
import { sql } from '../testing/owner-sql.ts'

/* The statement on a real Postgres, against the whole history of each metric as the oracle. */
const tenantId = crypto.randomUUID()
const deviceId = crypto.randomUUID()

beforeAll(async () => {
  await sql`insert into tenants (id, name) values (${tenantId}, ${tenantId})`
  await sql`insert into devices (tenant_id, id, external_id, last_seen_at)
    values (${tenantId}, ${deviceId}, 'd', now())`
})

/** One transaction's row: what its batches say together. */
async function store(id: string, seen: UnitSeen[], lastMs = 0): Promise<void> {
  const unit = seen.reduce<UnitRecord | undefined>((record, one) => withUnit(record, one), undefined)
  const row = { id: [id], deviceId: [deviceId], name: [id], unit: [unit], lastMs: [lastMs] }
  const { text, values } = upsertMetrics(tenantId, row)
  await sql.query(text, values)
}

/** The row as it is kept; `xmin` changes with every write. */
async function rowOf(id: string) {
  const [row] = await sql`select unit, unit_version::float8, unit_since::float8, previous_unit,
      previous_unit_version::float8, (extract(epoch from unit_changed_at) * 1000)::float8 as changed_at,
      (extract(epoch from last_ts) * 1000)::float8 as last_ms, xmin::text
    from metrics where tenant_id = ${tenantId} and id = ${id}`
  return row!
}

/** Any history, cut into transactions that commit in any order. */
const transactions = unitHistory.chain((history) =>
  fc
    .tuple(
      fc.shuffledSubarray(history, { minLength: history.length }),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 8, maxLength: 8 }),
    )
    .map(([sent, sizes]) => ({ history, groups: cut(sent, sizes) })),
)

function cut<T>(list: T[], [size = 1, ...sizes]: number[]): T[][] {
  return list.length === 0 ? [] : [list.slice(0, size), ...cut(list.slice(size), sizes)]
}

test('the last unit and the one before are right in whatever order transactions commit', async () => {
  await fc.assert(
    fc.asyncProperty(transactions, async ({ history, groups }) => {
      const id = crypto.randomUUID()
      for (const group of groups) await store(id, group)
      const { last, previous, since } = changeIn(history)
      const row = await rowOf(id)
      expect(row).toMatchObject({
        ...{ unit: last.unit, unit_version: last.version },
        ...{ previous_unit: previous?.unit ?? null, previous_unit_version: previous?.version ?? 0 },
      })
      expect(row['unit_since']).toBeGreaterThanOrEqual(since)
      expect(history).toContainEqual({ unit: last.unit, version: row['unit_since'] })
      expect(row['changed_at']).toBe(previous ? row['unit_since'] / 1024 : null)
    }),
    { numRuns: 60 },
  )
})

test.each([
  ['C1 | F2', 'F', 'C', 2],
  ['F2 | C1', 'F', 'C', 2],
  ['C1 | F3 | F2', 'F', 'C', 2],
  ['C1 F5 | F2 F5', 'F', 'C', 2],
  ['F5 | C1 F5', 'F', 'C', 5],
  ['F5 | C1 F2', 'F', 'C', 2],
  ['C1 F2 | K3 F4', 'F', 'K', 4],
  ['K3 F4 | C1 F2', 'F', 'K', 4],
  ['C1 F2 F4 | C3', 'F', 'C', 4],
  ['C1 F2 | C3 F4', 'F', 'C', 4],
])('of the transactions %s the unit is %s after %s since %i', async (groups, unit, previous, since) => {
  const id = crypto.randomUUID()
  for (const group of groups.split(' | ')) await store(id, seenIn(group))
  expect(await rowOf(id)).toMatchObject({ unit, previous_unit: previous, unit_since: since })
})

test('when it changed is exact where transactions commit in order, whatever they hold', async () => {
  const inOrder = fc.tuple(
    unitHistory,
    fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 8, maxLength: 8 }),
  )
  await fc.assert(
    fc.asyncProperty(inOrder, async ([history, sizes]) => {
      const id = crypto.randomUUID()
      for (const group of cut(history, sizes)) await store(id, group)
      expect(await rowOf(id)).toMatchObject({ unit_since: changeIn(history).since })
    }),
    { numRuns: 30 },
  )
})

test('what was stored before writes nothing, and neither does a batch without units or news', async () => {
  await fc.assert(
    fc.asyncProperty(transactions, async ({ groups }) => {
      const id = crypto.randomUUID()
      // Twice, as a batch that comes again may tell when the unit changed after one between has told that it did.
      for (const group of [...groups, ...groups]) await store(id, group, 5)
      const before = await rowOf(id)
      for (const group of [...groups, []]) await store(id, group, 5)
      expect(await rowOf(id)).toEqual(before)
    }),
    { numRuns: 30 },
  )
})

test('a newer timestamp without a unit moves last_ts alone', async () => {
  const id = crypto.randomUUID()
  await store(id, [{ unit: 'C', version: 1024 }], 5)
  await store(id, [], 7)
  expect(await rowOf(id)).toMatchObject({ unit: 'C', unit_version: 1024, last_ms: 7, changed_at: null })
})

test('a metric that came without a unit has not changed it with its first one', async () => {
  const id = crypto.randomUUID()
  await store(id, [])
  expect(await rowOf(id)).toMatchObject({ unit: null, unit_version: 0, changed_at: null })
  await store(id, [{ unit: 'C', version: 2048 }])
  expect(await rowOf(id)).toMatchObject({
    unit: 'C',
    unit_since: 2048,
    previous_unit: null,
    changed_at: null,
  })
})

test('two batches of one instant with different units come out the same in either order', async () => {
  const [a, b] = [crypto.randomUUID(), crypto.randomUUID()]
  const tie = ['C', 'F'].map((unit) => ({ unit, version: 1024 }))
  for (const one of [...tie, ...tie]) await store(a, [one])
  for (const one of [...tie, ...tie].reverse()) await store(b, [one])
  const row = { unit: 'F', previous_unit: 'C', unit_since: 1024 }
  expect(await rowOf(a)).toMatchObject(row)
  expect(await rowOf(b)).toMatchObject(row)
})
