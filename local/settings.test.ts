import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseSettings, ROOT, readEnvironment, SettingsError } from './settings.ts'

describe('parseSettings()', () => {
  it('has a default for everything', () => {
    expect(parseSettings({})).toMatchObject({
      port: 8787,
      pgPort: 9787,
      stateDir: path.join(ROOT, '.edgepulse'),
      databaseUrl: undefined,
      modelDir: path.join(ROOT, '.edgepulse', 'models'),
    })
  })

  it('puts Postgres 1000 ports above the API unless told otherwise', () => {
    expect(parseSettings({ EDGEPULSE_PORT: '9000' }).pgPort).toBe(10_000)
    expect(parseSettings({ EDGEPULSE_PORT: '9000', EDGEPULSE_PG_PORT: '5433' }).pgPort).toBe(5433)
  })

  it.each([
    [{ EDGEPULSE_PORT: 'http' }, 'EDGEPULSE_PORT must be a port number (1 to 65535).'],
    [{ EDGEPULSE_PORT: '0' }, 'EDGEPULSE_PORT must be a port number (1 to 65535).'],
    [{ EDGEPULSE_PG_PORT: '70000' }, 'EDGEPULSE_PG_PORT must be a port number (1 to 65535).'],
    [{ EDGEPULSE_PORT: '65000' }, 'Set EDGEPULSE_PG_PORT: 65000 + 1000 is not a port.'],
    [{ EDGEPULSE_PORT: '80', EDGEPULSE_PG_PORT: '80' }, 'EDGEPULSE_PORT and EDGEPULSE_PG_PORT are both 80.'],
    [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL must be a postgresql:// address.'],
  ])('refuses %o in one sentence', (environment, sentence) => {
    expect(() => parseSettings(environment as Record<string, string>)).toThrow(new SettingsError(sentence))
  })
})

describe('readEnvironment()', () => {
  it('counts an empty variable as unset', () => {
    expect(readEnvironment({ ADMIN_TOKEN: '', EDGEPULSE_PORT: '1234' })).not.toHaveProperty('ADMIN_TOKEN')
    expect(readEnvironment({ EDGEPULSE_PORT: '1234' })['EDGEPULSE_PORT']).toBe('1234')
  })
})
