import { createHash } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { inTransaction } from '../database.ts'
import { scoreSeries } from '../score/score-series.ts'
import { seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { openArtefactStore } from './artefact-store.ts'
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
  const train = (until?: number) => inTransaction(pool, series, (db) => trainSeries(db, store, series, until))
  const score = () => inTransaction(pool, series, (db) => scoreSeries(db, { store, now: START }, series))
  const models = async () =>
    (await pool.query('select path, sha256 from models where tenant_id = $1', [tenant.tenantId])).rows
  return { store, train, score, models }
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

  it('makes no model of too little history', async () => {
    const { train, models } = await seeded(20)
    expect(await train()).toEqual({ windows: 20, readyAt: START + 144 * WINDOW, model: undefined })
    expect(await models()).toEqual([])
  })
})
