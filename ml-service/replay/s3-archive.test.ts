import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import type { ManifestEntry } from '../../telemetry/manifest.ts'
import { S3_CREDENTIALS as credentials, startLocalS3 } from '../testing/local-s3.ts'
import { readBatch } from './read-batch.ts'
import { type Archive, openArchive } from './s3-archive.ts'

/* Against the S3 of the Workers runtime, as it serves the local archive. */

const TENANT = '0f8fad5b-d9cb-469f-a165-70867728950e'
const RECEIVED_AT = Date.UTC(2026, 0, 1)

let s3: Awaited<ReturnType<typeof startLocalS3>>
let archive: Archive

beforeAll(async () => {
  s3 = await startLocalS3('archive')
  const { endpoint } = s3
  archive = openArchive({ bucket: 'archive', prefix: 'own/', endpoint, credentials, pageKeys: 2 })
})
afterAll(async () => {
  archive.close()
  await s3.stop()
})

async function listed(prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const key of archive.list(prefix)) keys.push(key)
  return keys
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe('an archive', () => {
  it('lists every key below a prefix in order, page after page', async () => {
    const keys = ['1', '10', '2:b', '3.c', '4/d', '5', '6'].map((key) => `many/${key}`)
    for (const key of [...keys.toReversed(), 'manx']) await s3.bucket.put(`own/${key}`, '')
    expect(await listed('many/')).toEqual(keys)
    expect(await listed('none/')).toEqual([])
    expect(await archive.read('many/5', 1)).toMatchObject({ bytes: Buffer.alloc(0) })
  })

  it('reads an object with its metadata, and tells one that is missing or too large', async () => {
    await s3.bucket.put('own/one', '12345', { customMetadata: { format: 'json' } })
    expect(await archive.read('one', 5)).toMatchObject({
      ...{ bytes: Buffer.from('12345'), metadata: { format: 'json' }, contentEncoding: undefined },
    })
    expect(await archive.read('one', 4)).toBe('too large')
    expect(await archive.read('two', 4)).toBeUndefined()
  })

  it('fails where it does not answer, rather than taking objects for missing', async () => {
    const settings = { bucket: 'archive', prefix: '', endpoint: 'http://127.0.0.1:1', credentials }
    const away = openArchive(settings)
    await expect(away.read('one', 5)).rejects.toThrow()
    away.close()
  })
})

describe('readBatch', () => {
  const json = JSON.stringify({
    series: [
      {
        device: 'd',
        metric: 'm',
        points: [
          [1, 1],
          [2, null],
          [RECEIVED_AT, 3],
        ],
      },
    ],
  })
  const entry: ManifestEntry = {
    ...{
      batch_id: 'b',
      sha256: sha256(json),
      datapoints: 1,
      received_at: new Date(RECEIVED_AT).toISOString(),
    },
    ...{
      min_ts: '',
      max_ts: '',
      rejected: [
        [0, 'timestamp_too_old'],
        [1, 'null_value'],
      ],
    },
  }
  const read = (change: Partial<ManifestEntry> = {}) =>
    readBatch(archive, { tenantId: TENANT, shard: 3 }, { ...entry, ...change })
  const put = (batchId: string, body: string | Uint8Array, contentEncoding?: string) =>
    s3.bucket.put(`own/raw/${TENANT}/${batchId}`, body, {
      ...{ customMetadata: { sha256: 'x', home_shard: '3', received_at: '', format: 'json' } },
      httpMetadata: contentEncoding === undefined ? {} : { contentEncoding },
    })

  test.each([
    ['as it is', json, undefined],
    ['compressed', gzipSync(json), 'gzip'],
  ])('takes one that was sent %s, by the verdict of its manifest', async (_, body, encoding) => {
    await put('b', body, encoding)
    const batch = await read()
    expect(batch).toMatchObject({ shard: 3, receivedAt: RECEIVED_AT, rejected: 2 })
    expect('columns' in batch && [...batch.columns.ts, ...batch.columns.values]).toEqual([RECEIVED_AT, 3])
  })

  test.each([
    ['other content', {}, json.replace('3]', '4]'), 'other content'],
    ['nothing at all', { batch_id: 'missing' }, json, 'does not hold it'],
    ['another number of datapoints', { datapoints: 2 }, json, '1 datapoints, 2 were accepted'],
    ['what its format cannot be', { sha256: sha256('{') }, '{', 'cannot be read'],
    ['a verdict nobody knows', { rejected: [[0, 'nonsense']] }, json, 'as nonsense'],
  ] satisfies [string, Partial<ManifestEntry>, string, string][])(
    'reports %s',
    async (_, change, body, reason) => {
      await put('b', body)
      const { batch_id: batchId = 'b' } = change as Partial<ManifestEntry>
      expect(await read(change)).toEqual({ batchId, reason: expect.stringContaining(reason) })
    },
  )

  it('reports gzip that inflates to more than a batch can have', async () => {
    await put('b', gzipSync(Buffer.alloc(20 * 1024 * 1024)), 'gzip')
    expect(await read()).toEqual({ batchId: 'b', reason: expect.stringContaining('other content') })
  })
})
