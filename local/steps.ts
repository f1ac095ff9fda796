import { spawn } from 'node:child_process'
import path from 'node:path'
import { buildDashboard } from './dashboard-build.ts'
import { QUIET_TOOLS } from './quiet-tools.ts'
import { NODE, ROOT, readEnvironment } from './settings.ts'

/** A part of a longer check, shown by its title; resolves with its exit code. */
export interface Step {
  title: string
  run(): Promise<number>
}

/** A program of node_modules/.bin in the repository's root, its output shown as it comes. */
export function toolStep(
  title: string,
  name: string,
  args: string[],
  env: Record<string, string> = {},
): Step {
  return {
    title,
    run: () => {
      const child = spawn(NODE, [path.join(ROOT, 'node_modules', '.bin', name), ...args], {
        cwd: ROOT,
        stdio: 'inherit',
        env: { ...process.env, ...QUIET_TOOLS, ...env },
      })
      const pass = (signal: NodeJS.Signals) => child.kill(signal)
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, pass)
      return new Promise((resolve, reject) => {
        child.once('error', reject)
        child.once('close', (code) => resolve(code ?? 1))
      })
    },
  }
}

/** Types, with one project for what runs in each place, and lint. */
export const STATIC_STEPS: Step[] = [
  toolStep('types: Node', 'tsc', ['-p', 'tsconfig.json']),
  toolStep('types: Worker', 'tsc', ['-p', 'worker/tsconfig.json']),
  toolStep('types: dashboard', 'tsc', ['-p', 'dashboard/tsconfig.json']),
  toolStep('lint and format', 'biome', ['check']),
]

export const DASHBOARD_STEP: Step = {
  title: 'dashboard build',
  run: () =>
    buildDashboard({ environment: readEnvironment(process.env) }).then(
      () => 0,
      (error: Error) => {
        console.error(error.message)
        return 1
      },
    ),
}

/** Runs the steps in order up to the first that fails, and resolves with its exit code, or 0. */
export async function runSteps(steps: Step[]): Promise<number> {
  for (const { title, run } of steps) {
    const begun = performance.now()
    console.log(`▶ ${title}`)
    const code = await run()
    if (code !== 0) {
      console.error(`✗ ${title}`)
      return code
    }
    console.log(`✓ ${title} (${((performance.now() - begun) / 1000).toFixed(1)} s)`)
  }
  return 0
}
