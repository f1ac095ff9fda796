import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { Webhook } from 'standardwebhooks'
import * as v from 'valibot'

const receivedSchema = v.object({
  webhook_id: v.string(),
  type: v.string(),
  received_at: v.string(),
})
/** A webhook that arrived with a good signature. */
export type ReceivedWebhook = v.InferOutput<typeof receivedSchema>

export interface WebhookReceiver {
  url: string
  /** What is verified against; a delivery that comes before it is set is refused and so comes again. */
  expect(secret: string): void
  /** Verified ones, of earlier runs as well. */
  received: ReceivedWebhook[]
  /** How many came with a signature that does not hold. */
  refused: number
  stop(): Promise<void>
}

/** What a tenant would run: verifies by the Standard Webhooks package, keeps what is genuine in `file`. */
export async function startWebhookReceiver(file: string): Promise<WebhookReceiver> {
  let webhook: Webhook | undefined
  const server = createServer(async (request, response) => {
    const body = await readText(request)
    try {
      if (!webhook) throw new Error('not set up yet')
      const event = v.parse(v.object({ type: v.string() }), webhook.verify(body, headersOf(request)))
      const webhookId = headersOf(request)['webhook-id'] ?? ''
      receiver.received.push({
        webhook_id: webhookId,
        type: event.type,
        received_at: new Date().toISOString(),
      })
      appendFileSync(file, `${JSON.stringify(receiver.received.at(-1))}\n`)
      response.writeHead(204).end()
    } catch {
      receiver.refused += 1
      response.writeHead(webhook ? 401 : 503).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/webhooks`,
    expect: (secret) => {
      webhook = new Webhook(secret)
    },
    received: earlier(file),
    refused: 0,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return receiver
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function headersOf(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
}

function earlier(file: string): ReceivedWebhook[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => v.parse(v.pipe(v.string(), v.parseJson(), receivedSchema), line))
}
