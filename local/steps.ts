import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { QUIET_TOOLS } from './quiet-tools.ts'
import { ROOT } from './settings.ts'

/** One command of a longer check, shown by its title. */
export interface Step {
  title: string
  /** A program of node_modules/.bin. */
  tool: string
  args: string[]
  env?: Record<string, string>
}

/** Types, with one project for what runs in each place, and lint. */
export const STATIC_STEPS: Step[] = [
  { title: 'types: Node', tool: 'tsc', args: ['-p', 'tsconfig.json'] },
  { title: 'types: Worker', tool: 'tsc', args: ['-p', 'worker/tsconfig.json'] },
  { title: 'types: dashboard', tool: 'tsc', args: ['-p', 'dashboard/tsconfig.json'] },
  { title: 'lint and format', tool: 'biome', args: ['check'] },
]

/** Runs the steps in order up to the first that fails, and returns its exit code, or 0. */
export function runSteps(steps: Step[]): number {
  for (const { title, tool, args, env = {} } of steps) {
    const begun = performance.now()
    console.log(`▶ ${title}`)
    const { status, error } = spawnSync(path.join(ROOT, 'node_modules', '.bin', tool), args, {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, ...QUIET_TOOLS, ...env },
    })
    if (error) console.error(`${tool} cannot be run: ${error.message}`)
    if (status !== 0) {
      console.error(`✗ ${title}`)
      return status ?? 1
    }
    console.log(`✓ ${title} (${((performance.now() - begun) / 1000).toFixed(1)} s)`)
  }
  return 0
}
