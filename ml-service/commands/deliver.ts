import { cryptoRandom } from '../../telemetry/trace.ts'
import { sleep } from '../serve/sleep.ts'
import { deliverDue } from '../webhooks/deliver-due.ts'
import { webhookPoster } from '../webhooks/webhook-poster.ts'
import type { Command } from './command.ts'

/** Attempts every delivery that is due. A failed attempt is not a failed command: it has its own schedule. */
export const deliver: Command = async ({ environment, pool, now, print }) => {
  const webhookSecretKeys = environment.webhookSecretKeys()
  const { post, close } = webhookPoster(environment.webhookAllowPrivate)
  try {
    const { logSampleRate } = environment
    const chance = { random: Math.random, randomBytes: cryptoRandom }
    const summary = await deliverDue({ pool, now, sleep, ...chance, webhookSecretKeys, logSampleRate, post })
    print(`${summary.delivered} delivered, ${summary.retrying} to be retried, ${summary.failed} failed`)
  } finally {
    await close()
  }
  return 0
}
