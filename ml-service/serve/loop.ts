import { setTimeout as sleep } from 'node:timers/promises'
import { type Outage, waitAfter } from './outage.ts'

/**
 * Does a piece of work again and again, `pauseMs` apart, until `signal` fires; the piece at hand is finished.
 * A failure is told to `outage` and tried again after a growing wait: a loop never ends by itself.
 */
export async function loop(
  work: { name: string; pauseMs: number; piece: () => Promise<void> },
  outage: Outage,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    try {
      await work.piece()
      failures = 0
      outage.passed()
    } catch (error) {
      failures += 1
      outage.failed(work.name, error)
    }
    await pause(failures === 0 ? work.pauseMs : waitAfter(failures), signal)
  }
}

/** Sleeps, but no longer than until `signal` fires. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await sleep(ms, undefined, { signal }).catch(() => {})
}
