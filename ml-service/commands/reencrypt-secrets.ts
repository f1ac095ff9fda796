import { reencryptAll } from '../webhooks/reencrypt-all.ts'
import type { Command } from './command.ts'

/**
 * Seals every webhook secret with WEBHOOK_SECRET_KEY, of which some are sealed with WEBHOOK_SECRET_KEY_PREVIOUS. After
 * it, with exit code 0, the previous key is no longer needed.
 */
export const reencryptSecrets: Command = async ({ environment, pool, print }) => {
  const { sealed, kept, failed } = await reencryptAll(pool, environment.webhookSecretKeys())
  print(`${sealed} webhooks sealed again, ${kept} had the key already, ${failed} could not be opened`)
  return failed === 0 ? 0 : 1
}
