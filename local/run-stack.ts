import { type Progress, startProgress } from './progress.ts'
import { parseSettings, readEnvironment } from './settings.ts'
import { Stack } from './stack.ts'

export interface RunOptions {
  allowPrivateWebhooks: boolean
  /** What to do once every part answers; the exit code, or undefined to stay up until Ctrl-C. */
  work(stack: RunningStack): Promise<number | undefined>
  /** Whether Ctrl-C during the work is the expected end (0) or cuts it short (130, as a shell reports it). */
  interruptible: boolean
}

export interface RunningStack {
  stack: Stack
  stateDir: string
  progress: Progress
  /** Aborts when the stack is being stopped. */
  signal: AbortSignal
}

const INTERRUPTED = 130

/** The whole life of a local stack: start, work, stay, orderly stop. Resolves with the exit code. */
export async function runStack(options: RunOptions): Promise<number> {
  const progress = startProgress()
  const ending = new AbortController()
  const interrupted = untilInterrupted().then(() => {
    ending.abort()
    progress.step('Stopping…')
  })
  let stack: Stack | undefined
  try {
    const settings = parseSettings(readEnvironment(process.env))
    stack = new Stack({ settings, progress, allowPrivateWebhooks: options.allowPrivateWebhooks })
    return await live(
      { stack, stateDir: settings.stateDir, progress, signal: ending.signal },
      options,
      interrupted,
    )
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  } finally {
    const wasInterrupted = ending.signal.aborted
    ending.abort()
    await stack?.stop()
    if (wasInterrupted) progress.step('Stopped.')
  }
}

async function live(running: RunningStack, options: RunOptions, interrupted: Promise<void>): Promise<number> {
  const { stack } = running
  const lost = Promise.withResolvers<never>()
  let isReady = false
  const cutShort = interrupted.then(() => (isReady && options.interruptible ? 0 : INTERRUPTED))
  const working = stack.start(lost.reject).then(() => {
    isReady = true
    return options.work(running)
  })
  working.catch(() => {}) // when the end comes first
  const code = await Promise.race([working, lost.promise, cutShort])
  return code ?? (await Promise.race([lost.promise, cutShort]))
}

/** Resolves at the first signal; later ones change nothing, since Ctrl-C may arrive by several ways at once. */
function untilInterrupted(): Promise<void> {
  // A terminal that is gone must not end an orderly stop.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    process.on('disconnect', () => resolve()) // run.mjs was killed
    process.channel?.unref()
  })
}
