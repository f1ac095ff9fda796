import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { newestChange } from './newest-change.ts'
import type { Progress } from './progress.ts'
import { ROOT } from './settings.ts'
import type { Stack } from './stack.ts'
import { WORKER_SOURCES } from './worker-bundle.ts'

/** Between two looks at the files; also lets an editor finish what it writes in several steps. */
const LOOK_MS = 500

const ML_SOURCES = ['ml-service', 'telemetry', 'migrations'].map((name) => path.join(ROOT, name))
const DASHBOARD = path.join(ROOT, 'dashboard')

/** Until `signal` aborts, runs changed code: the Worker and the dashboard it serves, or the ML service. */
export function reloadOnChange(stack: Stack, progress: Progress, signal: AbortSignal): void {
  const reload = async (title: string, run: () => Promise<void>) => {
    try {
      await run()
      progress.step(`${title} runs the changed code.`)
    } catch (error) {
      const reason = error instanceof Error ? error.message : error
      if (!signal.aborted) progress.step(`${title} keeps running the code before the change: ${reason}`)
    }
  }
  onChange([...WORKER_SOURCES, DASHBOARD], signal, () => reload('The Worker', () => stack.reloadWorker()))
  onChange(ML_SOURCES, signal, () => reload('The ML service', () => stack.reloadMl()))
}

/**
 * Calls `run` after a change below `places`, never twice at the same time. Looks instead of listening: a
 * recursive watch on Linux loses the files that editors replace, and a look at some hundred files is cheap.
 */
async function onChange(places: string[], signal: AbortSignal, run: () => Promise<void>): Promise<void> {
  const newest = () => Math.max(...places.map(newestChange))
  let seen = newest()
  while (!signal.aborted) {
    await sleep(LOOK_MS)
    const now = newest()
    if (now === seen) continue
    seen = now
    await run()
  }
}
