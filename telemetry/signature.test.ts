import fc from 'fast-check'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { signWebhook, webhookSecretOf } from './signature.ts'

const secret = fc.uint8Array({ minLength: 24, maxLength: 64 }).map(webhookSecretOf)
const OLD = webhookSecretOf(new Uint8Array(24).fill(1))
const NEW = webhookSecretOf(new Uint8Array(64).fill(2))

/** A message of this moment: the verifier refuses old ones. */
const message = (body: string) => ({ id: 'msg_1', timestampSeconds: Math.floor(Date.now() / 1000), body })

function headersOf({ id, timestampSeconds }: { id: string; timestampSeconds: number }, signature: string) {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signature,
  }
}

test("the signature of Standard Webhooks' published example comes out", async () => {
  const example = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestampSeconds: 1614265330,
    body: '{"test": 2432232314}',
  }
  expect(await signWebhook(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], example)).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  )
})

test('the standardwebhooks package verifies any body under any secret', async () => {
  await fc.assert(
    fc.asyncProperty(secret, fc.json(), async (key, body) => {
      const sent = message(body)
      const headers = headersOf(sent, await signWebhook([key], sent))
      expect(new Webhook(key).verify(body, headers)).toEqual(JSON.parse(body))
    }),
  )
})

test('while a secret is being rotated, receivers with the old and with the new one both verify', async () => {
  const sent = message('{"type":"webhook.test"}')
  const headers = headersOf(sent, await signWebhook([NEW, OLD], sent))
  expect(headers['webhook-signature']).toMatch(/^v1,[\w+/]{43}= v1,[\w+/]{43}=$/)
  for (const key of [NEW, OLD]) {
    expect(new Webhook(key).verify(sent.body, headers)).toEqual({ type: 'webhook.test' })
  }
})

test.each([
  ['another secret', (sent) => [NEW, sent]],
  ['another id', (sent) => [OLD, { ...sent, id: 'msg_2' }]],
  ['another time', (sent) => [OLD, { ...sent, timestampSeconds: sent.timestampSeconds + 1 }]],
  ['another body', (sent) => [OLD, { ...sent, body: `${sent.body} ` }]],
] satisfies [string, (sent: ReturnType<typeof message>) => [string, ReturnType<typeof message>]][])(
  'a signature does not verify with %s',
  async (_, change) => {
    const sent = message('{}')
    const signature = await signWebhook([OLD], sent)
    const [key, received] = change(sent)
    expect(() => new Webhook(key).verify(received.body, headersOf(received, signature))).toThrow(
      WebhookVerificationError,
    )
  },
)

test.each([24, 32, 64])('%i random bytes make a secret that holds exactly them', (length) => {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) % 256)
  const made = webhookSecretOf(bytes)
  expect(made).toMatch(/^whsec_[A-Za-z0-9+/]+=*$/)
  expect(Uint8Array.from(Buffer.from(made.slice(6), 'base64'))).toEqual(bytes)
})

test.each([0, 23, 65])('%i bytes are refused as a secret', (length) => {
  expect(() => webhookSecretOf(new Uint8Array(length))).toThrow(RangeError)
})
