import type pg from 'pg'
import { PgBoss } from 'pg-boss'
import * as v from 'valibot'
import { log, messageOf } from '../log.ts'
import type { Bucket } from './due-sql.ts'

const QUEUE = 'score'
const SCHEMA = 'pgboss'

/** A holder that has not been heard of for so long is dead: the least that pg-boss takes. */
const HEARTBEAT_SECONDS = 10
const TOUCH_MS = 3000
/** How often some process looks for the dead. */
const SUPERVISE_SECONDS = 2

/** Metrics a bucket aims at; so many share their reads, their transaction and its commit. */
const BUCKET_METRICS = 50
const MAX_BUCKETS = 256

const bucketSchema = v.object({ tenantId: v.string(), bucket: v.number(), of: v.number() })

export interface HeldBucket {
  bucket: Bucket
  /** Gives it back, whether or not all of it was done: what is still due is planned again. */
  done(): Promise<void>
}

/**
 * Hands out buckets of due metrics, each to one process at a time. A job only says where there is work: the due
 * rows, locked by the transaction that scores, say what. So a job that is lost or handed out twice costs a look, and
 * the death of a holder costs the seconds until its heartbeat is missed.
 */
export class ScoreQueue {
  readonly #boss: PgBoss

  private constructor(boss: PgBoss) {
    this.#boss = boss
  }

  static async open(pool: pg.Pool): Promise<ScoreQueue> {
    const boss = new PgBoss({
      db: { executeSql: (text, values) => pool.query(text, values) },
      schema: SCHEMA,
      schedule: false,
      registerInstance: false,
      superviseIntervalSeconds: SUPERVISE_SECONDS,
      monitorIntervalSeconds: SUPERVISE_SECONDS,
    })
    // Of its timers, while Postgres is away; the loops that wait for an answer say so.
    boss.on('error', (error) => log('warn', 'the work queue has trouble', { error: messageOf(error) }))
    await boss.start()
    await boss.createQueue(QUEUE, {
      policy: 'exclusive',
      heartbeatSeconds: HEARTBEAT_SECONDS,
      retryLimit: 0,
      deleteAfterSeconds: 60,
    })
    return new ScoreQueue(boss)
  }

  /** Plans buckets for what is due; those that wait or are being worked on already stay as they are. */
  async plan(tenants: { tenantId: string; due: number }[]): Promise<void> {
    const jobs = tenants.flatMap(bucketsOf).map((data) => ({
      data,
      singletonKey: `${data.tenantId}/${data.bucket}.${data.of}`,
    }))
    if (jobs.length > 0) await this.#boss.insert(QUEUE, jobs)
  }

  /** The bucket that waits longest, held until `done`; undefined when none does. */
  async take(): Promise<HeldBucket | undefined> {
    const [job] = await this.#boss.fetch(QUEUE)
    if (job === undefined) return undefined
    const touch = () => this.#boss.touch(QUEUE, job.id).catch(() => {})
    const heart = setInterval(touch, TOUCH_MS)
    return {
      bucket: v.parse(bucketSchema, job.data),
      done: async () => {
        clearInterval(heart)
        await this.#boss.complete(QUEUE, job.id)
      },
    }
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false })
  }
}

/** As few as keep a bucket near its aim. */
export function bucketsOf({ tenantId, due }: { tenantId: string; due: number }): Bucket[] {
  let of = 1
  while (of < MAX_BUCKETS && due > of * BUCKET_METRICS) of *= 2
  return Array.from({ length: of }, (_, bucket) => ({ tenantId, bucket, of }))
}
