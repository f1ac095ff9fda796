import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { inTransaction } from '../database.ts'
import { scoreSeries } from '../score/score-series.ts'
import { type Point, seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { openArtefactStore } from './artefact-store.ts'
import { removeArtefacts } from './recorded-artefacts.ts'
import { trainSeries } from './train-series.ts'

const START = Date.UTC(2026, 0, 1)

let pool: pg.Pool
beforeAll(() => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 4 })
})
afterAll(() => pool.end())

async function seeded(windows: number) {
  const tenant = await seedTenant(pool)
  const series = await tenant.series('pump-7', 'temperature')
  await tenant.write(series, steadyPoints(START, windows))
  const store = openArtefactStore(tenant.modelDir)
  const train = async (until?: number) => {
    const result = await inTransaction(pool, series, (db) => trainSeries(db, store, series, until))
    await removeArtefacts(store, result.obsolete)
    return result
  }
  const score = async () => {
    const now = START
    const { cleanUp } = await inTransaction(pool, series, (db) => scoreSeries(db, { store, now }, series))
    await cleanUp()
  }
  const write = (points: Point[]) => tenant.write(series, points)
  /** Paths of the files there are. */
  const files = () => globSync(`**/*.json`, { cwd: tenant.modelDir }).sort()
  const models = async () =>
    (await pool.query('select path, sha256 from models where tenant_id = $1', [tenant.tenantId])).rows
  return { store, train, score, write, models, files }
}

describe('trainSeries()', () => {
  it('ends its first model at the minimum history and later ones at the newest scored window', async () => {
    const { train, score, models } = await seeded(300)
    expect((await train()).model?.trainedUntil).toBe(START + 144 * WINDOW)
    await score()
    expect((await train()).model?.trainedUntil).toBe(START + 300 * WINDOW)
    expect((await train(START + 200 * WINDOW + 7)).model?.trainedUntil).toBe(START + 200 * WINDOW)
    expect(await models()).toHaveLength(3)
  })

  it('updates the entry of a model that is trained again', async () => {
    const { train, models } = await seeded(300)
    const first = await train(START + 250 * WINDOW)
    expect((await train(START + 250 * WINDOW)).model).toEqual(first.model)
    expect(await models()).toEqual([{ path: first.model?.path, sha256: first.model?.sha256 }])
  })

  it('writes an artefact whose bytes have the recorded checksum', async () => {
    const { store, train } = await seeded(150)
    const { model } = await train()
    const text = await store.read(model!.path)
    expect(createHash('sha256').update(text!).digest('hex')).toBe(model!.sha256)
  })

  it('leaves no file that nothing names, also where it takes the place of another', async () => {
    const { train, score, write, models, files } = await seeded(300)
    const named = async () => (await models()).map(({ path }) => path).sort()
    await score()
    expect((await named()).some((path) => /head/.test(path))).toBe(true)
    await train(START + 300 * WINDOW) // to where scoring ended
    expect((await named()).some((path) => /head/.test(path))).toBe(false)
    expect(files()).toEqual(await named())
    await write([[START + 290 * WINDOW + 2000, 75]])
    await train(START + 300 * WINDOW) // another past
    expect(files()).toEqual(await named())
    await score()
    expect(files()).toEqual(await named())
  })

  it('makes no model of too little history', async () => {
    const { train, models } = await seeded(20)
    expect(await train()).toEqual({
      ...{ windows: 20, readyAt: START + 144 * WINDOW, model: undefined, obsolete: [] },
    })
    expect(await models()).toEqual([])
  })
})
