import { randomBytes } from 'node:crypto'
import path from 'node:path'
import * as v from 'valibot'
import { readJson, writeJsonAtomically } from './atomic-file.ts'

const secretsSchema = v.object({
  ADMIN_TOKEN: v.string(),
  API_KEY_MAC_SECRET: v.string(),
  WEBHOOK_SECRET_KEY: v.string(),
  /** For the local archive, which can be read as one reads R2: over S3. */
  S3_ACCESS_KEY_ID: v.string(),
  S3_SECRET_ACCESS_KEY: v.string(),
})

/** Named as the environment variables they stand for. */
export type Secrets = v.InferOutput<typeof secretsSchema>

const fileOf = (stateDir: string) => path.join(stateDir, 'secrets.json')

/**
 * The environment's secrets where it sets them, else those of earlier starts, else new ones; kept for the next.
 * Those of the local archive are always its own: the environment's belong to another one.
 */
export function loadSecrets(stateDir: string, environment: Record<string, string>): Secrets {
  const kept = readJson(fileOf(stateDir), v.partial(secretsSchema)) ?? {}
  const { ADMIN_TOKEN, API_KEY_MAC_SECRET, WEBHOOK_SECRET_KEY } = { ...kept, ...environment }
  const secrets = {
    ADMIN_TOKEN: ADMIN_TOKEN ?? randomBytes(24).toString('base64url'),
    API_KEY_MAC_SECRET: API_KEY_MAC_SECRET ?? randomBytes(32).toString('base64url'),
    WEBHOOK_SECRET_KEY: WEBHOOK_SECRET_KEY ?? randomBytes(32).toString('base64'),
    S3_ACCESS_KEY_ID: kept.S3_ACCESS_KEY_ID ?? randomBytes(16).toString('hex'),
    S3_SECRET_ACCESS_KEY: kept.S3_SECRET_ACCESS_KEY ?? randomBytes(32).toString('hex'),
  }
  writeJsonAtomically(fileOf(stateDir), secrets)
  return secrets
}
