import type { DayUsage } from './window-frames.ts'

/**
 * | table       | a row is                                    | written            | deleted                  |
 * | batches     | an accepted batch, by hash of its id        | admission          | dedupe horizon           |
 * | journal     | a batch's datapoints and its manifest entry | admission          | checkpoint and manifest  |
 * | outbox      | a batch Postgres has not confirmed          | admission          | acknowledgement          |
 * | usage       | counters of one UTC day of arrival          | admission          | 800 days later           |
 * | releases    | an archive object of a refused batch        | refusal            | two minutes later        |
 * | series      | hashes of series registered together        | their first batch  | –                        |
 * | checkpoints | a piece of a segment of the window state    | flush              | replaced                 |
 * | flushes     | closed windows and usage for the consumer   | flush              | acknowledgement          |
 * | meta        | config, progress                            | rarely; each flush | –                        |
 *
 * Rows written are what an object costs: no indexes, and WITHOUT ROWID where the key is not an integer. The
 * outbox is in order of time, so that a long one is not read through; `batches.next_send_at` finds its row.
 */
export const SHARD_SCHEMA = [
  `create table meta (key text primary key, value text not null) without rowid;
   create table batches (
     id blob primary key,
     sha256 blob not null,
     received_at integer not null,
     datapoints integer not null,
     series integer not null,
     rejected blob,
     persisted_at integer,
     error text,
     next_send_at integer
   ) without rowid;
   create table journal (id integer primary key, arrival_ms integer not null, entry text, bytes blob not null);
   create table outbox (
     next_send_at integer not null,
     id blob not null,
     batch_id text not null,
     received_at integer not null,
     attempts integer not null default 0,
     primary key (next_send_at, id)
   ) without rowid;
   create table usage (
     day text primary key,
     batches integer not null default 0,
     datapoints integer not null default 0,
     bytes integer not null default 0,
     duplicates integer not null default 0,
     rejected integer not null default 0,
     dirty_since integer not null default 0
   ) without rowid;
   create table releases (
     id blob primary key,
     batch_id text not null,
     at integer not null,
     removed integer not null default 0
   ) without rowid;
   create table series (id integer primary key, hashes blob not null);
   create table checkpoints (id integer primary key, bytes blob not null);
   create table flushes (
     id integer primary key autoincrement,
     next_send_at integer not null,
     attempts integer not null default 0,
     bytes blob not null
   );`,
  // Kept until Postgres has the batch; null also for batches of before.
  'alter table batches add column trace_id blob;',
]

export type BatchRow = {
  sha256: ArrayBuffer
  received_at: number
  datapoints: number
  series: number
  rejected: ArrayBuffer | null
  persisted_at: number | null
  error: string | null
  next_send_at: number | null
  trace_id: ArrayBuffer | null
}

/** `entry` is the batch's line in the manifest, on the last of its pieces. */
export type JournalRow = { id: number; arrival_ms: number; entry: string | null; bytes: ArrayBuffer }
export type OutboxRow = {
  next_send_at: number
  id: ArrayBuffer
  batch_id: string
  received_at: number
  attempts: number
}
export type UsageCounts = Omit<DayUsage, 'day'>

/** All SQL of a shard. Instants are epoch ms. */
export function shardStatements(sql: Pick<SqlStorage, 'exec'>) {
  const first = <Row extends Record<string, SqlStorageValue>>(cursor: SqlStorageCursor<Row>) =>
    cursor.toArray()[0]
  return {
    meta: (key: string) =>
      first(sql.exec<{ value: string }>('select value from meta where key = ?', key))?.value,
    setMeta: (key: string, value: string) =>
      sql.exec('insert into meta values (?, ?) on conflict do update set value = excluded.value', key, value),

    batch: (id: ArrayBuffer) => first(sql.exec<BatchRow>('select * from batches where id = ?', id)),
    addBatch: (id: ArrayBuffer, row: Omit<BatchRow, 'persisted_at' | 'error'>) =>
      sql.exec(
        `insert into batches (id, sha256, received_at, datapoints, series, rejected, next_send_at, trace_id)
         values (?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[id, row.sha256, row.received_at, row.datapoints, row.series, row.rejected, row.next_send_at],
        row.trace_id,
      ),
    setPersisted: (id: ArrayBuffer, at: number) =>
      sql.exec(
        `update batches set persisted_at = ?, error = null, next_send_at = null, trace_id = null
         where id = ? and persisted_at is null`,
        ...[at, id],
      ),
    /** Why it could not be stored so far; it is still tried. */
    noteFailure: (id: ArrayBuffer, error: string) =>
      sql.exec('update batches set error = ? where id = ? and next_send_at is not null', error, id),
    setFailed: (id: ArrayBuffer, error: string) =>
      sql.exec(
        'update batches set error = ?, next_send_at = null where id = ? and persisted_at is null',
        error,
        id,
      ),
    setReturned: (id: ArrayBuffer, nextSendAt: number) =>
      sql.exec('update batches set error = null, next_send_at = ? where id = ?', nextSendAt, id),
    removeBatch: (id: ArrayBuffer) => sql.exec('delete from batches where id = ?', id),

    addJournal: (row: Omit<JournalRow, 'bytes'> & { bytes: Uint8Array }) =>
      sql.exec('insert into journal values (?, ?, ?, ?)', row.id, row.arrival_ms, row.entry, row.bytes),
    journalAfter: (id: number) =>
      sql.exec<JournalRow>('select id, arrival_ms, entry, bytes from journal where id > ? order by id', id),
    journalEntries: (until: number, limit: number) =>
      sql
        .exec<{ id: number; arrival_ms: number; entry: string }>(
          'select id, arrival_ms, entry from journal where id <= ? and entry is not null order by id limit ?',
          ...[until, limit],
        )
        .toArray(),
    lastJournalId: () => first(sql.exec<{ id: number | null }>('select max(id) as id from journal'))?.id ?? 0,
    journalBytesAfter: (id: number) =>
      first(
        sql.exec<{ n: number }>('select coalesce(sum(length(bytes)), 0) as n from journal where id > ?', id),
      )!.n,
    oldestArrival: () =>
      first(sql.exec<{ at: number }>('select arrival_ms as at from journal order by id limit 1'))?.at,
    journalEntryCount: () =>
      first(sql.exec<{ n: number }>('select count(*) as n from journal where entry is not null'))!.n,
    newestArrival: () =>
      first(sql.exec<{ at: number | null }>('select max(arrival_ms) as at from journal'))?.at,
    cutJournal: (until: number) => sql.exec('delete from journal where id <= ?', until),

    addOutbox: (row: OutboxRow) =>
      sql.exec(
        'insert into outbox (next_send_at, id, batch_id, received_at, attempts) values (?, ?, ?, ?, ?)',
        ...[row.next_send_at, row.id, row.batch_id, row.received_at, row.attempts],
      ),
    dueOutbox: (now: number, limit: number) =>
      sql
        .exec<OutboxRow>(
          'select * from outbox where next_send_at <= ? order by next_send_at limit ?',
          now,
          limit,
        )
        .toArray(),
    outboxDueAt: () =>
      first(sql.exec<{ at: number }>('select next_send_at as at from outbox order by next_send_at limit 1'))
        ?.at,
    setNextSend: (id: ArrayBuffer, at: number) =>
      sql.exec('update batches set next_send_at = ? where id = ?', at, id),
    removeOutbox: (id: ArrayBuffer, nextSendAt: number) =>
      sql.exec('delete from outbox where next_send_at = ? and id = ?', nextSendAt, id),
    pending: () =>
      sql
        .exec<{ n: number; oldest: number | null }>(
          'select count(*) as n, min(received_at) as oldest from outbox',
        )
        .one(),

    addUsage: (day: string, counts: UsageCounts, now: number) =>
      sql.exec(
        `insert into usage (day, batches, datapoints, bytes, duplicates, rejected, dirty_since)
         values (?, ?, ?, ?, ?, ?, ?)
         on conflict do update set batches = batches + excluded.batches, datapoints = datapoints + excluded.datapoints,
           bytes = bytes + excluded.bytes, duplicates = duplicates + excluded.duplicates,
           rejected = rejected + excluded.rejected,
           dirty_since = iif(dirty_since = 0, excluded.dirty_since, dirty_since)`,
        ...[day, counts.batches, counts.datapoints, counts.bytes, counts.duplicates, counts.rejected, now],
      ),
    usage: (from: string, to: string) =>
      sql
        .exec<DayUsage>(
          `select day, batches, datapoints, bytes, duplicates, rejected from usage
           where day between ? and ? order by day`,
          ...[from, to],
        )
        .toArray(),
    dirtyUsage: () =>
      sql
        .exec<DayUsage>(
          'select day, batches, datapoints, bytes, duplicates, rejected from usage where dirty_since > 0 order by day',
        )
        .toArray(),
    usageDirtySince: () =>
      first(sql.exec<{ at: number | null }>('select min(dirty_since) as at from usage where dirty_since > 0'))
        ?.at,
    removeUsage: (before: string) => sql.exec('delete from usage where day < ?', before),
    cleanUsage: () => sql.exec('update usage set dirty_since = 0 where dirty_since > 0'),

    putRelease: (id: ArrayBuffer, batchId: string, at: number) =>
      sql.exec('insert or replace into releases (id, batch_id, at) values (?, ?, ?)', id, batchId, at),
    release: (id: ArrayBuffer) =>
      first(sql.exec<{ removed: number }>('select removed from releases where id = ?', id)),
    endRelease: (id: ArrayBuffer, at: number) =>
      sql.exec('update releases set removed = 1, at = ? where id = ?', at, id),
    unfinishedReleases: (before: number) =>
      sql
        .exec<{ id: ArrayBuffer; batch_id: string }>(
          'select id, batch_id from releases where removed = 0 and at <= ? limit 100',
          before,
        )
        .toArray(),
    forgetReleases: (before: number) =>
      sql.exec('delete from releases where removed = 1 and at <= ?', before),
    releaseTimes: () =>
      sql
        .exec<{ unfinished: number | null; over: number | null }>(
          `select min(iif(removed = 0, at, null)) as unfinished, min(iif(removed = 1, at, null)) as over from releases`,
        )
        .one(),

    addSeries: (hashes: Float64Array) => sql.exec('insert into series (hashes) values (?)', hashes),
    series: () => sql.exec<{ hashes: ArrayBuffer }>('select hashes from series'),

    putCheckpoint: (id: number, bytes: Uint8Array) =>
      sql.exec('insert or replace into checkpoints values (?, ?)', id, bytes),
    cutCheckpoint: (from: number, to: number) =>
      sql.exec('delete from checkpoints where id between ? and ?', from, to),
    checkpoint: () =>
      sql.exec<{ id: number; bytes: ArrayBuffer }>('select id, bytes from checkpoints order by id'),

    addFlush: (bytes: Uint8Array, nextSendAt: number) =>
      sql
        .exec<{ id: number }>(
          'insert into flushes (next_send_at, bytes) values (?, ?) returning id',
          nextSendAt,
          bytes,
        )
        .one().id,
    flush: (id: number) =>
      first(sql.exec<{ bytes: ArrayBuffer }>('select bytes from flushes where id = ?', id))?.bytes,
    dueFlushes: (now: number, limit: number) =>
      sql
        .exec<{ id: number; attempts: number }>(
          'select id, attempts from flushes where next_send_at <= ? limit ?',
          now,
          limit,
        )
        .toArray(),
    flushesDueAt: () =>
      first(
        sql.exec<{ at: number | null }>(
          'select min(next_send_at) as at from flushes where next_send_at < 9007199254740991',
        ),
      )?.at,
    postponeFlush: (id: number, nextSendAt: number) =>
      sql.exec('update flushes set next_send_at = ?, attempts = attempts + 1 where id = ?', nextSendAt, id),
    returnFlush: (id: number, nextSendAt: number) =>
      sql
        .exec('update flushes set next_send_at = ?, attempts = 0 where id = ? returning id', nextSendAt, id)
        .toArray().length,
    parkedFlushes: () =>
      sql
        .exec<{ id: number }>('select id from flushes where next_send_at = 9007199254740991')
        .toArray()
        .map(({ id }) => id),
    removeFlush: (id: number) => sql.exec('delete from flushes where id = ?', id),
  }
}

export type ShardStatements = ReturnType<typeof shardStatements>
