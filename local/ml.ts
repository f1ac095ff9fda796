import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { main } from '../ml-service/cli.ts'

/** What a running local stack says of itself; only what the ML service takes from it. */
const devFileSchema = v.object({ url: v.string(), database_url: v.string(), model_dir: v.string() })
/** As in wrangler.toml. */
const BUCKET = 'edgepulse-archive'
const secretsSchema = v.record(v.string(), v.string())

/**
 * The environment, with what it leaves unset filled from the local stack in EDGEPULSE_STATE_DIR, if one runs
 * there: its database and model folder, its secrets, and its archive. A given
 * ARCHIVE, or a MODEL_DIR on s3:// with its endpoint, comes with its own endpoint and credentials.
 */
export function localVariables(
  environment: Record<string, string | undefined>,
  root: string,
): Record<string, string | undefined> {
  const stateDir = path.resolve(root, environment['EDGEPULSE_STATE_DIR'] || '.edgepulse')
  const dev = readJson(path.join(stateDir, 'dev.json'), devFileSchema)
  if (dev === undefined) return environment
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  )
  const { S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, ...secrets } =
    readJson(path.join(stateDir, 'secrets.json'), secretsSchema) ?? {}
  const archive = {
    ARCHIVE: `s3://${BUCKET}`,
    S3_ENDPOINT: `${dev.url}/cdn-cgi/local/r2/s3`,
    ...{ S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY },
  }
  const modelsElsewhere = given['MODEL_DIR']?.startsWith('s3://') && given['S3_ENDPOINT'] !== undefined
  return {
    ...secrets,
    DATABASE_URL: dev.database_url,
    MODEL_DIR: dev.model_dir,
    ...given,
    ...(given['ARCHIVE'] !== undefined || modelsElsewhere ? {} : archive),
  }
}

function readJson<T>(file: string, schema: v.GenericSchema<unknown, T>): T | undefined {
  if (!existsSync(file)) return undefined
  return v.parse(schema, JSON.parse(readFileSync(file, 'utf8')))
}

if (import.meta.main) {
  const variables = localVariables(process.env, path.dirname(import.meta.dirname))
  process.exitCode = await main(process.argv.slice(2), variables)
}
