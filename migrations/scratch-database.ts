import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const IN_USE = '55006'
const PATIENCE_MS = 10_000

/** For tests: an empty database of one's own on the server behind `serverUrl`. */
export async function scratchDatabase(serverUrl: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `scratch_${randomUUID().replaceAll('-', '')}`
  const run = async (sql: string) => {
    const client = new pg.Client({ connectionString: serverUrl })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await run(`create database ${name}`)
  return {
    url: new URL(`/${name}`, serverUrl).href,
    drop: () => whileInUse(() => run(`drop database ${name}`)),
  }
}

/**
 * Sessions end a little after their clients say so. Ending them by force would reach a client that listens no
 * more, as an error of the test run.
 */
async function whileInUse(drop: () => Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await drop()
    } catch (error) {
      const inUse = error instanceof pg.DatabaseError && error.code === IN_USE
      if (!inUse || performance.now() > giveUpAt) throw error
      await sleep(20)
    }
  }
}
