import { watch } from 'node:fs'
import path from 'node:path'
import type { Progress } from './progress.ts'
import { ROOT } from './settings.ts'
import type { Stack } from './stack.ts'
import { WORKER_SOURCES } from './worker-bundle.ts'

/** Editors write a file in several steps, and several files at once. */
const SETTLE_MS = 200

const ML_SOURCES = ['ml-service', 'telemetry', 'migrations'].map((name) => path.join(ROOT, name))
const DASHBOARD = path.join(ROOT, 'dashboard')

/** Until `signal` aborts, runs changed code: the Worker and the dashboard it serves, or the ML service. */
export function reloadOnChange(stack: Stack, progress: Progress, signal: AbortSignal): void {
  const reload = async (title: string, run: () => Promise<void>) => {
    try {
      await run()
      progress.step(`${title} runs the changed code.`)
    } catch (error) {
      if (!signal.aborted)
        progress.step(`${title} keeps running the code before the change: ${messageOf(error)}`)
    }
  }
  onChange([...WORKER_SOURCES, DASHBOARD], signal, () => reload('The Worker', () => stack.reloadWorker()))
  onChange(ML_SOURCES, signal, () => reload('The ML service', () => stack.reloadMl()))
}

/** Calls `run` after a change below `places`, never twice at the same time. */
function onChange(places: string[], signal: AbortSignal, run: () => Promise<void>): void {
  let timer: NodeJS.Timeout | undefined
  let running = Promise.resolve()
  const changed = (_event: string, file: string | null) => {
    if (file && isOutput(file)) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      running = running.then(() => (signal.aborted ? undefined : run()))
    }, SETTLE_MS)
  }
  for (const place of places) watch(place, { recursive: true, signal }, changed)
}

/** What builds write, and editors' own files. */
const isOutput = (file: string) =>
  file.split(path.sep).some((name) => name === 'dist' || name.startsWith('.')) || /\.test\.ts$|~$/.test(file)

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
