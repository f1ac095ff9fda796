import { randomBytes } from 'node:crypto'
import path from 'node:path'
import * as v from 'valibot'
import { readJson, writeJsonAtomically } from './atomic-file.ts'

const secretsSchema = v.object({
  ADMIN_TOKEN: v.string(),
  API_KEY_MAC_SECRET: v.string(),
  WEBHOOK_SECRET_KEY: v.string(),
})

/** Named as the environment variables they stand for. */
export type Secrets = v.InferOutput<typeof secretsSchema>

const fileOf = (stateDir: string) => path.join(stateDir, 'secrets.json')

/** What the stack of `stateDir` was last started with; undefined before its first start. */
export const readSecrets = (stateDir: string) => readJson(fileOf(stateDir), secretsSchema)

/** The environment's secrets where it sets them, else those of earlier starts, else new ones; kept for the next. */
export function loadSecrets(stateDir: string, environment: Record<string, string>): Secrets {
  const kept = readSecrets(stateDir)
  const secrets = {
    ADMIN_TOKEN: environment['ADMIN_TOKEN'] ?? kept?.ADMIN_TOKEN ?? randomBytes(24).toString('base64url'),
    API_KEY_MAC_SECRET:
      environment['API_KEY_MAC_SECRET'] ?? kept?.API_KEY_MAC_SECRET ?? randomBytes(32).toString('base64url'),
    WEBHOOK_SECRET_KEY:
      environment['WEBHOOK_SECRET_KEY'] ?? kept?.WEBHOOK_SECRET_KEY ?? randomBytes(32).toString('base64'),
  }
  writeJsonAtomically(fileOf(stateDir), secrets)
  return secrets
}
