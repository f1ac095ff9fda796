import { Readable } from 'node:stream'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  NoSuchKey,
  type S3Client,
} from '@aws-sdk/client-s3'
import { openS3Client, type S3Place } from '../s3-place.ts'

/** Where the archive is. */
export interface ArchiveSettings extends S3Place {
  /** Keys a page of a listing, at most; S3 itself gives up to a thousand. */
  pageKeys?: number
}

export interface ArchiveObject {
  bytes: Uint8Array
  /** The custom metadata. */
  metadata: Record<string, string>
  contentEncoding: string | undefined
}

/** The archive, read over S3: R2, S3, or the local stack's. */
export interface Archive {
  /** The keys that start with `prefix`, ascending; a page in memory at a time. */
  list(prefix: string): AsyncGenerator<string>
  /** Undefined when there is no such object, 'too large' when it holds more than `maxBytes`. */
  read(key: string, maxBytes: number): Promise<ArchiveObject | 'too large' | undefined>
  close(): void
}

export function openArchive(settings: ArchiveSettings): Archive {
  const { bucket, prefix, pageKeys } = settings
  const client = openS3Client(settings)
  return {
    list: (within) =>
      list(client, { Bucket: bucket, Prefix: prefix + within, MaxKeys: pageKeys }, prefix.length),
    read: (key, maxBytes) => read(client, { Bucket: bucket, Key: prefix + key }, maxBytes),
    close: () => client.destroy(),
  }
}

/** `skip` characters of every key are the archive's own prefix. */
async function* list(
  client: S3Client,
  listing: ListObjectsV2CommandInput,
  skip: number,
): AsyncGenerator<string> {
  let ContinuationToken: string | undefined
  do {
    const page = await client.send(new ListObjectsV2Command({ ...listing, ContinuationToken }))
    for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key.slice(skip)
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken !== undefined)
}

async function read(
  client: S3Client,
  place: { Bucket: string; Key: string },
  maxBytes: number,
): Promise<ArchiveObject | 'too large' | undefined> {
  try {
    const { Body, Metadata, ContentEncoding } = await client.send(new GetObjectCommand(place))
    if (!(Body instanceof Readable)) throw new Error(`The archive sent no body for ${place.Key}.`)
    const bytes = await readBounded(Body, maxBytes)
    if (bytes === undefined) return 'too large'
    return { bytes, metadata: Metadata ?? {}, contentEncoding: ContentEncoding }
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined
    throw error
  }
}

async function readBounded(stream: Readable, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length > maxBytes) return undefined // leaving the loop destroys the stream
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}
