import { setTimeout as sleep } from 'node:timers/promises'

/** Far beyond any start seen; only then is a part that still runs given up on. */
const START_LIMIT_MS = 120_000

/** Waits until `url` answers 200. Throws when the process ends first (`exited`), or does not answer at all. */
export async function untilAnswers(url: string, title: string, exited: Promise<string>): Promise<void> {
  const giveUp = Date.now() + START_LIMIT_MS
  let outcome: string | undefined
  exited.then((how) => {
    outcome = how
  })
  while (outcome === undefined && Date.now() < giveUp) {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    await sleep(50)
  }
  throw new Error(`${title} ${outcome ?? `did not answer within ${START_LIMIT_MS / 1000} s`}`)
}
