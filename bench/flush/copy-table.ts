import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'

/** As large as a driver sends it. */
const CHUNK_BYTES = 64 * 1024

/** The table of the other side: the columns and the primary key of `datapoints`, and nothing else. */
export async function createCopyTable(client: pg.Client): Promise<void> {
  await client.query('create table copied (like datapoints including defaults including indexes)')
}

/** What the tenant has stored since version `from`, in the order of the key, as COPY writes and reads it. */
export async function storedRows(client: pg.Client, tenantId: string, from: number): Promise<Buffer> {
  const rows = client.query(
    copyTo(`copy (select tenant_id, metric_id, ts, value, version from datapoints
      where tenant_id = '${tenantId}' and version >= ${from} order by metric_id, ts) to stdout`),
  )
  const chunks: Buffer[] = []
  for await (const chunk of rows) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Returns how many rows one COPY of them has stored. */
export async function copyRows(client: pg.Client, rows: Buffer): Promise<number> {
  const chunks = Array.from({ length: Math.ceil(rows.length / CHUNK_BYTES) }, (_, i) =>
    rows.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  )
  const copy = client.query(copyFrom('copy copied from stdin'))
  await pipeline(Readable.from(chunks), copy)
  return copy.rowCount
}
