// `npm run admin -- COMMAND …`: tenants, keys and dead letters from a shell, over the HTTP API. Exit codes: 0 done,
// 1 refused or failed, 2 wrong usage.
import { parseArgs } from 'node:util'
import { ADMIN_COMMANDS, type AdminCommand, USAGE } from './admin-commands.ts'
import { Api } from './api.ts'
import { readDevFile } from './dev-file.ts'
import { parseSettings, readEnvironment, SettingsError } from './settings.ts'

const OPTIONS = {
  scopes: { type: 'string' },
  name: { type: 'string' },
  'expires-at': { type: 'string' },
  'retention-days': { type: 'string' },
  'series-limit': { type: 'string' },
  shards: { type: 'string' },
  state: { type: 'string' },
  'overlap-seconds': { type: 'string' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

/** Runs one command line. Results go to stdout, everything else to stderr. */
async function main(args: string[]): Promise<number> {
  if (args[0] === 'help' || args.includes('--help')) {
    console.log(USAGE)
    return 0
  }
  const parsed = parse(args)
  if (!parsed) {
    console.error(USAGE)
    return 2
  }
  try {
    const lines = await parsed.command.run(connect(), parsed.rest, parsed.values)
    for (const { json, text } of lines) console.log(parsed.values.json ? JSON.stringify(json) : text)
    return lines.some(({ failed }) => failed) ? 1 : 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
}

function parse(args: string[]) {
  try {
    const { positionals, values } = parseArgs({ args, options: OPTIONS, allowPositionals: true })
    const [noun, verb, ...rest] = positionals
    const command: AdminCommand | undefined = ADMIN_COMMANDS[`${noun} ${verb}`]
    if (!command) return undefined
    const { parameters } = command
    const fits = typeof parameters === 'number' ? rest.length === parameters : parameters(rest, values)
    return fits ? { command, rest, values } : undefined
  } catch {
    return undefined // an option that does not exist
  }
}

/** The API that the environment names; what it leaves unset is that of the stack running on this machine. */
function connect(): Api {
  const environment = readEnvironment(process.env)
  const running = readDevFile(parseSettings(environment).stateDir)
  const url = environment['EDGEPULSE_URL'] ?? running?.url
  const token = environment['ADMIN_TOKEN'] ?? running?.admin_token
  if (!url) throw new SettingsError('No local stack is running: start it, or set EDGEPULSE_URL.')
  if (!token) throw new SettingsError('Set ADMIN_TOKEN to the token of that API.')
  return new Api({ url, token, patienceMs: 5_000 })
}

process.exitCode = await main(process.argv.slice(2))
