import { existsSync } from 'node:fs'
import path from 'node:path'
import { isStale } from './newest-change.ts'
import { QUIET_TOOLS } from './quiet-tools.ts'
import { ROOT } from './settings.ts'
import { runTool, type ToolOptions } from './tool.ts'

/** What the Worker is made from; a change to any of it makes another bundle. */
export const WORKER_SOURCES = ['worker', 'durable-objects', 'telemetry', 'migrations', 'wrangler.toml'].map(
  (name) => path.join(ROOT, name),
)

/** The file in `dir` that the bundler writes for the Worker's entry. */
export const bundleOf = (dir: string) => path.join(dir, 'index.js')

export const isBundleStale = (dir: string) =>
  !existsSync(bundleOf(dir)) ||
  isStale(bundleOf(dir), [...WORKER_SOURCES, path.join(ROOT, 'package-lock.json')])

/** Bundles the Worker into `dir` exactly as a deployment would. */
export async function bundleWorker(dir: string, options: ToolOptions): Promise<void> {
  const quiet = { ...QUIET_TOOLS, WRANGLER_LOG_PATH: path.join(dir, 'wrangler-logs') }
  await runTool('wrangler', ['deploy', '--dry-run', '--env', '', '--outdir', dir], {
    ...options,
    environment: { ...options.environment, ...quiet },
  })
}
