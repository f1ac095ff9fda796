import { spawn } from 'node:child_process'
import path from 'node:path'
import { NODE, ROOT } from './settings.ts'

export interface ToolOptions {
  environment: Record<string, string>
  /** Ends the program. */
  signal?: AbortSignal | undefined
}

/** Runs a program of node_modules/.bin in the repository's root. Throws with its output when it fails. */
export async function runTool(name: string, args: string[], options: ToolOptions): Promise<void> {
  const child = spawn(NODE, [path.join(ROOT, 'node_modules', '.bin', name), ...args], {
    cwd: ROOT,
    env: options.environment,
    ...(options.signal ? { signal: options.signal } : {}),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const outcome = await new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? String(code)))
  })
  if (outcome !== '0') throw new Error(`${name} ${args[0] ?? ''} failed (${outcome}).\n${output.trim()}`)
}
