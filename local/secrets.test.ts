import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadSecrets } from './secrets.ts'

let dir: string
let file: string

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'edgepulse-secrets-'))
  file = path.join(dir, 'secrets.json')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('loadSecrets()', () => {
  it('makes secrets once and keeps them to this user', () => {
    const made = loadSecrets(dir, {})
    expect(Buffer.from(made.WEBHOOK_SECRET_KEY, 'base64')).toHaveLength(32)
    expect(loadSecrets(dir, {})).toEqual(made)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(made)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('takes what the environment sets, and keeps that for a start without it', () => {
    const secrets = loadSecrets(dir, { ADMIN_TOKEN: 'given' })
    expect(secrets.ADMIN_TOKEN).toBe('given')
    expect(loadSecrets(dir, {})).toEqual(secrets)
  })

  it('keeps what an older file holds, and adds what it lacks', () => {
    writeFileSync(
      file,
      JSON.stringify({ ADMIN_TOKEN: 'a', API_KEY_MAC_SECRET: 'b', WEBHOOK_SECRET_KEY: 'c' }),
    )
    const secrets = loadSecrets(dir, {})
    expect(secrets).toMatchObject({ ADMIN_TOKEN: 'a', API_KEY_MAC_SECRET: 'b', WEBHOOK_SECRET_KEY: 'c' })
    expect(secrets.S3_SECRET_ACCESS_KEY).toMatch(/^[0-9a-f]{64}$/)
  })
})
