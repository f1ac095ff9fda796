import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { main } from '../ml-service/cli.ts'

/** What a running local stack says of itself; only what the ML service takes from it. */
const devFileSchema = v.object({ database_url: v.string(), model_dir: v.string() })
const secretsSchema = v.record(v.string(), v.string())

/**
 * The environment, with what it leaves unset filled from the local stack in EDGEPULSE_STATE_DIR, if one runs
 * there: its database and model folder, and its secrets.
 */
export function localVariables(
  environment: Record<string, string | undefined>,
  root: string,
): Record<string, string | undefined> {
  const stateDir = path.resolve(root, environment['EDGEPULSE_STATE_DIR'] || '.edgepulse')
  const dev = readJson(path.join(stateDir, 'dev.json'), devFileSchema)
  if (dev === undefined) return environment
  const given = Object.entries(environment).filter(([, value]) => value !== undefined && value !== '')
  return {
    ...readJson(path.join(stateDir, 'secrets.json'), secretsSchema),
    DATABASE_URL: dev.database_url,
    MODEL_DIR: dev.model_dir,
    ...Object.fromEntries(given),
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
