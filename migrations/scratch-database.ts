import { randomUUID } from 'node:crypto'
import pg from 'pg'

/** For tests: an empty database of one's own on the server behind `serverUrl`. */
export async function scratchDatabase(serverUrl: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `scratch_${randomUUID().replaceAll('-', '')}`
  const run = async (sql: string) => {
    const client = new pg.Client({ connectionString: serverUrl })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await run(`create database ${name}`)
  return { url: new URL(`/${name}`, serverUrl).href, drop: () => run(`drop database ${name} with (force)`) }
}
