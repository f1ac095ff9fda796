import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it, test } from 'vitest'
import { S3_CREDENTIALS as credentials, startLocalS3 } from '../testing/local-s3.ts'
import { runCli } from '../testing/run-cli.ts'
import { seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints } from '../testing/synthetic.ts'
import { openArtefactStore } from './artefact-store.ts'

/* In a folder, and in the S3 of the Workers runtime, as R2 answers it. */

const folder = mkdtempSync(path.join(tmpdir(), 'edgepulse-models-'))

let pool: pg.Pool
let s3: Awaited<ReturnType<typeof startLocalS3>>

beforeAll(async () => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 2 })
  s3 = await startLocalS3('models')
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await pool.end()
  await s3.stop()
})

const placeOf = (kind: string) =>
  kind === 'a folder' ? folder : { bucket: 'models', prefix: 'own/', endpoint: s3.endpoint, credentials }

test.each(['a folder', 'a bucket'])(
  'what is written to %s is read again until it is removed',
  async (kind) => {
    const store = openArtefactStore(placeOf(kind))
    expect(await store.read('tenant/metric/1.json')).toBeUndefined()
    await store.write('tenant/metric/1.json', '{"format":1,"unit":"µ"}')
    expect(await store.read('tenant/metric/1.json')).toBe('{"format":1,"unit":"µ"}')
    await store.write('tenant/metric/1.json', '{}')
    expect(await store.read('tenant/metric/1.json')).toBe('{}')
    for (let time = 1; time <= 2; time += 1) await store.remove('tenant/metric/1.json')
    expect(await store.read('tenant/metric/1.json')).toBeUndefined()
  },
)

it('fails where the object store does not answer, rather than taking artefacts for missing', async () => {
  const store = openArtefactStore({
    bucket: 'models',
    prefix: '',
    endpoint: 'http://127.0.0.1:1',
    credentials,
  })
  await expect(store.read('tenant/metric/1.json')).rejects.toThrow()
})

it('the command line keeps its artefacts under the prefix that MODEL_DIR names', async () => {
  const tenant = await seedTenant(pool)
  const series = await tenant.series('pump', 'temperature')
  await tenant.write(series, steadyPoints(Date.UTC(2026, 0, 1), 150))
  const env = {
    DATABASE_URL: inject('databaseUrl'),
    MODEL_DIR: 's3://models/deep/er/',
    S3_ENDPOINT: s3.endpoint,
    S3_ACCESS_KEY_ID: credentials.accessKeyId,
    S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
  const target = ['--tenant', tenant.name, '--metric', series.metricId]
  expect(await runCli(['train', ...target], env)).toMatchObject({ code: 0 })
  const { rows } = await pool.query('select path from models where tenant_id = $1', [tenant.tenantId])
  expect(rows).toHaveLength(1)
  expect(await (await s3.bucket.get(`deep/er/${rows[0].path}`))?.json()).toMatchObject({
    metricId: series.metricId,
  })
  expect(await runCli(['score', ...target], env)).toMatchObject({ code: 0 })
})
