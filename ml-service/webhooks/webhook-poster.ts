import type { DeliverDeps } from './deliver-due.ts'
import { guardedAgent, type Resolve } from './guarded-agent.ts'
import { postWebhook } from './post-webhook.ts'

/** Posts through one agent that checks every address it connects to; `close` lets its connections go. */
export function webhookPoster(
  allowPrivate: boolean,
  resolve?: Resolve,
): { post: DeliverDeps['post']; close: () => Promise<void> } {
  const dispatcher = guardedAgent({ allowPrivate, ...(resolve && { resolve }) })
  return {
    post: (url, headers, body) => postWebhook(url, headers, body, { dispatcher, allowPrivate }),
    close: () => dispatcher.close(),
  }
}
