import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'

const CLI = path.join(import.meta.dirname, '..', 'cli.ts')

export interface CliResult {
  code: number | null
  stdout: string
  stderr: string
}

const { NODE_COMPILE_CACHE } = process.env
const compiled: NodeJS.ProcessEnv = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }

/** Starts the command line as its own process with only the given variables, and with what Node has compiled before. */
export function startCli(args: string[], env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [CLI, ...args], {
    env: { ...compiled, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

export async function runCli(args: string[], env: Record<string, string>): Promise<CliResult> {
  const child = startCli(args, env)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, stdout, stderr }
}
