import { parseArgs } from 'node:util'
import { backtest } from './commands/backtest.ts'
import type { Command, Options } from './commands/command.ts'
import { deliver } from './commands/deliver.ts'
import { features } from './commands/features.ts'
import { reencryptSecrets } from './commands/reencrypt-secrets.ts'
import { replay } from './commands/replay.ts'
import { retention } from './commands/retention.ts'
import { score } from './commands/score.ts'
import { serve } from './commands/serve.ts'
import { train } from './commands/train.ts'
import { openPool } from './database.ts'
import { parseEnvironment } from './environment.ts'
import { log, messageOf } from './log.ts'
import { UsageError } from './usage-error.ts'

const COMMANDS: Record<string, { run: Command; options: string[]; flags: string[] }> = {
  features: { run: features, options: ['tenant', 'metric', 'from', 'to', 'source', 'format'], flags: [] },
  train: { run: train, options: ['tenant', 'metric', 'until'], flags: ['all'] },
  score: { run: score, options: ['tenant', 'metric', 'from', 'to'], flags: ['all'] },
  backtest: { run: backtest, options: ['tenant', 'metric', 'threshold', 'labels', 'format'], flags: [] },
  deliver: { run: deliver, options: [], flags: [] },
  'reencrypt-secrets': { run: reencryptSecrets, options: [], flags: [] },
  retention: { run: retention, options: [], flags: [] },
  replay: { run: replay, options: ['tenant', 'from', 'to'], flags: [] },
  serve: { run: serve, options: ['every'], flags: [] },
}

/**
 * Runs one command line and returns its exit code: 0 done (also with nothing to do), 1 failed, 2 wrong usage.
 * Results go to stdout, logs to stderr.
 */
export async function main(args: string[], variables: Record<string, string | undefined>): Promise<number> {
  process.stdout.once('error', endWithReader)
  try {
    const [name, ...rest] = args
    if (name === 'help' || args.includes('--help')) {
      print(usage())
      return 0
    }
    const command = commandOf(name)
    const options = optionsOf(command, rest)
    const environment = parseEnvironment(variables)
    const pool = openPool(environment.databaseUrl())
    try {
      return await command.run({ environment, pool, now: Date.now, print }, options)
    } finally {
      await pool.end()
    }
  } catch (error) {
    if (!(error instanceof UsageError)) {
      log('error', 'command_failed', { error: messageOf(error) })
      return 1
    }
    process.stderr.write(`${error.message}\n`)
    return 2
  }
}

const print = (line: string) => process.stdout.write(`${line}\n`)

/** A reader such as `head` that has seen enough is no error of ours. */
function endWithReader(error: NodeJS.ErrnoException): void {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
}

/** The commands with their options, a line each. */
function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { options, flags }]) => {
    const words = [...options.map((option) => `[--${option} …]`), ...flags.map((flag) => `[--${flag}]`)]
    return `  ${[name, ...words].join(' ')}`
  })
  return ['Usage: COMMAND [OPTIONS]', ...lines].join('\n')
}

function commandOf(name: string | undefined) {
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) {
    const problem = name === undefined ? 'Give a command' : `There is no command "${name}"`
    throw new UsageError(`${problem}: use one of ${Object.keys(COMMANDS).join(', ')}.`)
  }
  return command
}

function optionsOf({ options, flags }: { options: string[]; flags: string[] }, args: string[]): Options {
  const known = [
    ...options.map((name) => [name, { type: 'string' }] as const),
    ...flags.map((name) => [name, { type: 'boolean' }] as const),
  ]
  try {
    return parseArgs({ args, options: Object.fromEntries(known), strict: true }).values
  } catch (error) {
    const problem = messageOf(error).split('. ')[0]!.replace(/\.$/, '')
    const allowed = [...options, ...flags].map((name) => `--${name}`).join(', ') || 'no options'
    throw new UsageError(`${problem}: this command takes ${allowed}.`)
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2), process.env)
