import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import * as v from 'valibot'

/** The repository's root: relative places of the settings start here. */
export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

const portSchema = (name: string) =>
  v.pipe(
    v.string(),
    v.regex(/^\d{1,5}$/, `${name} must be a port number (1 to 65535)`),
    v.transform(Number),
    v.minValue(1, `${name} must be a port number (1 to 65535)`),
    v.maxValue(65_535, `${name} must be a port number (1 to 65535)`),
  )

const environmentSchema = v.object({
  EDGEPULSE_PORT: v.optional(portSchema('EDGEPULSE_PORT'), '8787'),
  EDGEPULSE_PG_PORT: v.optional(portSchema('EDGEPULSE_PG_PORT')),
  EDGEPULSE_STATE_DIR: v.optional(v.string(), '.edgepulse'),
  DATABASE_URL: v.optional(
    v.pipe(v.string(), v.startsWith('postgres', 'DATABASE_URL must be a postgresql:// address')),
  ),
  MODEL_DIR: v.optional(v.string()),
})

export interface Settings {
  port: number
  /** Where the embedded Postgres listens; unused when `databaseUrl` is set. */
  pgPort: number
  stateDir: string
  databaseUrl: string | undefined
  modelDir: string
  /** The environment with `.env` beneath it and without empty variables. */
  environment: Record<string, string>
}

/** The Node that the project brings; the one that runs this may be older. */
export const NODE = path.join(ROOT, 'node_modules', '.bin', 'node')

/** A setting that cannot be used; its message is one sentence for the person at the terminal. */
export class SettingsError extends Error {}

/** What a local run is told by `environment`. Throws a `SettingsError`. */
export function parseSettings(environment: Record<string, string>): Settings {
  const parsed = v.safeParse(environmentSchema, environment)
  if (!parsed.success) throw new SettingsError(`${parsed.issues[0].message}.`)
  const {
    EDGEPULSE_PORT: port,
    EDGEPULSE_PG_PORT,
    EDGEPULSE_STATE_DIR,
    DATABASE_URL,
    MODEL_DIR,
  } = parsed.output
  const pgPort = EDGEPULSE_PG_PORT ?? port + 1000
  if (pgPort > 65_535) throw new SettingsError(`Set EDGEPULSE_PG_PORT: ${port} + 1000 is not a port.`)
  if (pgPort === port) throw new SettingsError(`EDGEPULSE_PORT and EDGEPULSE_PG_PORT are both ${port}.`)
  const stateDir = path.resolve(ROOT, EDGEPULSE_STATE_DIR)
  const modelDir = MODEL_DIR ?? path.join(stateDir, 'models')
  return { port, pgPort, stateDir, databaseUrl: DATABASE_URL, modelDir, environment }
}

/** `processEnv` over the `.env` file in the repository's root; a variable that is set but empty counts as unset. */
export function readEnvironment(processEnv: NodeJS.ProcessEnv): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of [...Object.entries(dotEnv()), ...Object.entries(processEnv)]) {
    if (value) environment[name] = value
  }
  return environment
}

function dotEnv(): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(path.join(ROOT, '.env'), 'utf8'))
  } catch {
    return {} // most clones have none
  }
}
