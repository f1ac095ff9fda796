import { setTimeout as sleep } from 'node:timers/promises'

/** A process that does a part of the stack's work. */
export interface RunningPart {
  pid: number
  /** Resolves with how it ended, whoever ended it. */
  exited: Promise<string>
  stop(): Promise<void>
}

export interface PartOptions {
  /** As it is named in what the person at the terminal reads. */
  title: string
  start(): Promise<RunningPart>
  log(line: string): void
  /** Called when it runs again, with another process id. */
  onRestart(): void
  /** false ends the restarts: there is nothing left to run on. */
  mayRestart(): boolean
}

/** A part that is started again whenever it dies. One that is merely slow is left alone. */
export interface Part {
  pid(): number
  /** Ends it and starts it afresh, for changed code. */
  reload(): Promise<void>
  stop(): Promise<void>
}

/** A part that ran this long before it died is not in a crash loop. */
const STEADY_MS = 30_000

/** 0, 0.5, 1, 2, 4, 8, 15, 15 … s before the n-th start in a row. */
export const restartDelayMs = (failures: number) =>
  failures === 0 ? 0 : Math.min(15_000, 250 * 2 ** failures)

/** Starts a part, throwing if that fails, and from then on keeps it running. */
export async function keepRunning(options: PartOptions): Promise<Part> {
  const { title, log } = options
  const stopping = new AbortController()
  let reloading = false
  let running = await options.start()

  async function startAgain(failures: number): Promise<void> {
    for (;;) {
      await sleep(restartDelayMs(failures), undefined, { signal: stopping.signal })
      if (!options.mayRestart()) return stopping.abort()
      try {
        running = await options.start()
        return
      } catch (error) {
        failures += 1
        log(`${title} did not start again: ${error instanceof Error ? error.message : error}`)
      }
    }
  }

  async function watch(): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      const since = performance.now()
      const outcome = await running.exited
      if (stopping.signal.aborted) return
      if (reloading || performance.now() - since > STEADY_MS) failures = 0
      if (!reloading) log(`${title} ${outcome}; starting it again.`)
      await startAgain(failures)
      if (stopping.signal.aborted) return
      if (!reloading) log(`${title} is back (process ${running.pid}).`)
      options.onRestart()
    }
  }

  const watching = watch().catch((error) => {
    if (!stopping.signal.aborted) throw error // the abort ends the waiting with an error of its own
  })
  return {
    pid: () => running.pid,
    reload: async () => {
      reloading = true
      const before = running
      await before.stop()
      while (running === before && !stopping.signal.aborted) await sleep(20)
      reloading = false
    },
    stop: async () => {
      stopping.abort()
      await running.stop()
      await watching // a start under way when the stop came
      await running.stop()
    },
  }
}
