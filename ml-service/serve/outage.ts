import { isUnreachable } from '../database.ts'
import { log, messageOf } from '../log.ts'

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000

/** Waits after a failure, doubling: 0.5, 1, 2, 4, 8, 10, 10… seconds. */
export const waitAfter = (failures: number) =>
  Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10))

/** Whether Postgres is away, told once when it goes and once when it is back, whoever notices. */
export class Outage {
  #away = false

  get away(): boolean {
    return this.#away
  }

  /** A piece of work ended well. */
  passed(): void {
    if (this.#away) log('info', 'postgres_back')
    this.#away = false
  }

  /** A piece of work failed; anything but an outage is logged every time. */
  failed(work: string, error: unknown): void {
    if (!isUnreachable(error)) {
      log('error', 'work_failed', { work, error: messageOf(error) })
      return
    }
    if (!this.#away) log('warn', 'postgres_away', { error: messageOf(error) })
    this.#away = true
  }
}
