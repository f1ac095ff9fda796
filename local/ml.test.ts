import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { localVariables } from './ml.ts'

function stateFolder(files: Record<string, object>): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'edgepulse-state-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  for (const [name, content] of Object.entries(files))
    writeFileSync(path.join(dir, name), JSON.stringify(content))
  return dir
}

const RUNNING = {
  'dev.json': { url: 'http://127.0.0.1:1', database_url: 'postgresql://local/db', model_dir: '/models' },
  'secrets.json': { WEBHOOK_SECRET_KEY: 'key', ADMIN_TOKEN: 'token' },
}

it('fills what the environment leaves unset or empty from the running local stack', () => {
  const environment = { EDGEPULSE_STATE_DIR: stateFolder(RUNNING), MODEL_DIR: '/mine', DATABASE_URL: '' }
  expect(localVariables(environment, '/')).toMatchObject({
    DATABASE_URL: 'postgresql://local/db',
    MODEL_DIR: '/mine',
    WEBHOOK_SECRET_KEY: 'key',
  })
})

it('takes the archive with its endpoint and credentials from the environment, or all of it from the local stack', () => {
  const secrets = { S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'secret' }
  const EDGEPULSE_STATE_DIR = stateFolder({ ...RUNNING, 'secrets.json': secrets })
  const local = {
    ARCHIVE: 's3://edgepulse-archive',
    S3_ENDPOINT: 'http://127.0.0.1:1/cdn-cgi/local/r2/s3',
    ...secrets,
  }
  expect(localVariables({ EDGEPULSE_STATE_DIR }, '/')).toMatchObject(local)
  expect(localVariables({ EDGEPULSE_STATE_DIR, S3_ENDPOINT: 'https://models' }, '/')).toMatchObject(local)
  const models = { MODEL_DIR: 's3://models', S3_ENDPOINT: 'https://models' }
  expect(localVariables({ EDGEPULSE_STATE_DIR, ...models }, '/')).toMatchObject(models)
  const given = { ARCHIVE: 's3://mine', S3_ENDPOINT: 'https://r2' }
  const variables = localVariables({ EDGEPULSE_STATE_DIR, ...given }, '/')
  expect(variables).toMatchObject(given)
  expect(variables).not.toHaveProperty('S3_ACCESS_KEY_ID')
})

it('takes a relative state folder from the root of the repository, .edgepulse unless told otherwise', () => {
  const dir = stateFolder(RUNNING)
  const relative = { EDGEPULSE_STATE_DIR: path.basename(dir) }
  expect(localVariables(relative, path.dirname(dir))['MODEL_DIR']).toBe('/models')
  expect(localVariables({}, dir)).toEqual({})
})

it('leaves the environment alone where no stack runs', () => {
  const environment = { EDGEPULSE_STATE_DIR: stateFolder({ 'secrets.json': {} }), PORT: '0' }
  expect(localVariables(environment, '/')).toEqual(environment)
})
