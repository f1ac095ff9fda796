import { env } from 'cloudflare:workers'
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTenant, request, type TestTenant } from '../testing/tenant.ts'

/* How the bytes of a batch may come: their type, their encoding, their number. */

const MIB = 1024 * 1024

let tenant: TestTenant
let count = 0

beforeAll(async () => {
  tenant = await createTenant()
})

/** A batch of its own, `bytes` long where that is given: unknown fields are ignored. */
function batchText(bytes?: number): string {
  count += 1
  const batch = {
    batch_id: `form-${count}`,
    datapoints: [{ device: 'd', metric: 'm', ts: Date.now(), value: 1 }],
  }
  const text = JSON.stringify({ ...batch, padding: '' })
  return bytes === undefined
    ? text
    : text.replace('"padding":""', `"padding":"${'x'.repeat(bytes - text.length)}"`)
}

const zipped = (text: string) => new Uint8Array(gzipSync(text))
const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts))

async function post(raw: BodyInit, headers: Record<string, string> = {}): Promise<[number, string]> {
  const answer = await tenant.ingest(undefined, { raw, headers })
  const { status, code } = await answer.json<{ status: string; code?: string }>()
  return [answer.status, code ?? status]
}

const accepted = [202, 'accepted']
const gzipHeader = { 'content-encoding': 'gzip' }

describe('the content type', () => {
  it.each([
    ['application/json'],
    ['Application/JSON'],
    ['application/json; charset=utf-8'],
    ['application/json;charset="UTF-8";x=y'],
    [' application/json ; '],
  ])('%j is taken', async (type) => {
    expect(await post(batchText(), { 'content-type': type })).toEqual(accepted)
  })

  it.each([
    ['text/json'],
    ['application/jsonl'],
    ['application/json, application/json'],
    ['application/x-ndjson'],
  ])('%j is refused', async (type) => {
    expect(await post(batchText(), { 'content-type': type })).toEqual([415, 'unsupported_media_type'])
  })

  it('is needed', async () => {
    const body = new TextEncoder().encode(batchText())
    const answer = await request('/v1/ingest', { method: 'POST', headers: { 'x-api-key': tenant.key }, body })
    expect([answer.status, (await answer.json<{ code: string }>()).code]).toEqual([
      415,
      'unsupported_media_type',
    ])
  })
})

describe('the content encoding', () => {
  it.each([['identity'], ['Identity'], ['']])('%j is a plain body', async (encoding) => {
    expect(await post(batchText(), { 'content-encoding': encoding })).toEqual(accepted)
  })

  it.each([['gzip'], ['GZIP'], [' gzip '], ['x-gzip']])('%j is a gzipped body', async (encoding) => {
    expect(await post(zipped(batchText()), { 'content-encoding': encoding })).toEqual(accepted)
  })

  it.each([['gzip, gzip'], ['identity, gzip'], ['deflate'], ['br'], ['zstd'], ['gzip;q=1'], ['*']])(
    '%j is refused',
    async (encoding) => {
      const answer = await post(zipped(batchText()), { 'content-encoding': encoding })
      expect(answer).toEqual([415, 'unsupported_encoding'])
    },
  )

  it('is refused before the key is asked about, yet told only to a key in force', async () => {
    const headers = {
      'content-type': 'application/json',
      'content-encoding': 'br',
      'x-api-key': 'epk_made-up',
    }
    const answer = await request('/v1/ingest', { method: 'POST', headers, body: batchText() })
    expect([answer.status, (await answer.json<{ code: string }>()).code]).toEqual([401, 'invalid_api_key'])
  })
})

describe('a gzipped body', () => {
  it('may come in several members, and is archived as it came', async () => {
    const text = batchText()
    const members = joined(zipped(text.slice(0, 20)), zipped(''), zipped(text.slice(20)))
    expect(await post(members, gzipHeader)).toEqual(accepted)
    const object = await env.ARCHIVE.get(`raw/${tenant.id}/form-${count}`)
    expect(new Uint8Array(await object!.arrayBuffer())).toEqual(members)
    expect(object?.httpMetadata).toMatchObject({ contentType: 'application/json', contentEncoding: 'gzip' })
    const sha256 = createHash('sha256').update(text).digest('hex')
    const received_at = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*\.\d{3}Z$/)
    expect(object?.customMetadata).toMatchObject({ sha256, received_at, home_shard: '0' })
    expect(await post(text)).toEqual([200, 'duplicate'])
  })

  it.each([
    ['nothing', () => new Uint8Array()],
    ['JSON that is not compressed', () => new TextEncoder().encode(batchText())],
    ['a member cut short', () => zipped(batchText()).slice(0, -4)],
    ['a member and rubbish', () => joined(zipped(batchText()), new TextEncoder().encode('rubbish'))],
    [
      'a damaged member',
      () => zipped(batchText()).map((byte, i, { length }) => (i === length - 6 ? ~byte : byte)),
    ],
    ['compressed nothing', () => zipped('')],
    ['two batches', () => joined(zipped(batchText()), zipped(batchText()))],
  ])('of %s is broken', async (_, bytes) => {
    expect(await post(bytes(), gzipHeader)).toEqual([400, 'invalid_json'])
  })

  it('that inflates to eight gigabytes is refused as soon as it is too large', async () => {
    const member = new Uint8Array(gzipSync(new Uint8Array(16 * MIB))) // 16 KiB
    const bomb = joined(...Array.from({ length: 500 }, () => member))
    expect(await post(bomb, gzipHeader)).toEqual([413, 'payload_too_large'])
  })
})

describe('the limits of bytes', () => {
  it('are 8 MiB on the wire to the byte', async () => {
    expect(await post(batchText(8 * MIB))).toEqual(accepted)
    expect(await post(batchText(8 * MIB + 1))).toEqual([413, 'payload_too_large'])
  })

  it('are 16 MiB inflated to the byte', async () => {
    expect(await post(zipped(batchText(16 * MIB)), gzipHeader)).toEqual(accepted)
    expect(await post(zipped(batchText(16 * MIB + 1)), gzipHeader)).toEqual([413, 'payload_too_large'])
  })

  it('hold for a body of unknown length', async () => {
    const piece = new TextEncoder().encode(' '.repeat(MIB))
    let sent = 0
    const endless = new ReadableStream({
      pull(controller) {
        sent += 1
        controller.enqueue(piece)
      },
    })
    expect(await post(endless)).toEqual([413, 'payload_too_large'])
    expect(sent).toBeLessThan(64) // MiB: it is not read on and on
  })

  it('are told from the headers, before any of the body', async () => {
    const headers = { 'content-length': String(8 * MIB + 1) }
    const silent = new ReadableStream({})
    expect(await post(silent, headers)).toEqual([413, 'payload_too_large'])
  })
})

describe('a body in JSON', () => {
  it.each([
    ['a byte order mark', (text: string) => `\ufeff${text}`],
    ['white space around it', (text: string) => `\r\n\t ${text}\n`],
    ['a key twice, of which the last counts', (text: string) => text.replace('{', '{"batch_id":"earlier",')],
    ['escaped characters', (text: string) => text.replace('"d"', String.raw`"\u00e4\ud83d\ude00\/"`)],
    [
      'deep nesting in what is ignored',
      (text: string) => text.replace('{', `{"x":${'['.repeat(5000)}${']'.repeat(5000)},`),
    ],
  ])('may have %s', async (_, change) => {
    const bytes = new TextEncoder().encode(change(batchText()))
    expect(await post(bytes)).toEqual(accepted)
  })

  it.each([
    ['two values', '{}{}'],
    ['a comment', '{"series":[]} // none'],
    ['a comma too many', '{"series":[],}'],
    ['NaN', '{"datapoints":[{"device":"d","metric":"m","ts":0,"value":NaN}]}'],
    ['single quotes', "{'series':[]}"],
    ['UTF-16', new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0])],
    ['half a character', new Uint8Array([0x7b, 0xe2, 0x82, 0x7d])],
    ['100,000 opening brackets', '['.repeat(100_000)],
  ])('is none with %s', async (_, raw) => {
    expect(await post(raw)).toEqual([400, 'invalid_json'])
  })
})
