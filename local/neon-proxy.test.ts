import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type NeonProxy, startNeonProxy } from './neon-proxy.ts'

let stop: (() => Promise<void>) | undefined
afterEach(() => stop?.())

/** A message of Postgres' protocol: type, length, content. */
function message(type: string, content: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(content.length + 4, 1)
  return Buffer.concat([head, content])
}

const AUTHENTICATED = message('R', Buffer.alloc(4))
const READY = message('Z', Buffer.from('I'))
const BEGUN = message('C', Buffer.from('BEGIN\0'))
const KILLED = message(
  'E',
  Buffer.from('SFATAL\0C57P02\0Mterminating connection due to unexpected postmaster exit\0\0'),
)

/** A Postgres that answers the first query, and whose postmaster is killed before the second. */
function dieAfterFirstQuery(socket: Socket): void {
  socket.on('error', () => {})
  socket.once('data', () => {
    socket.write(Buffer.concat([AUTHENTICATED, READY]))
    socket.once('data', () => socket.end(Buffer.concat([BEGUN, READY, KILLED])))
  })
}

async function startProxy(): Promise<NeonProxy> {
  const postgres = createServer(dieAfterFirstQuery).listen(0, '127.0.0.1')
  await once(postgres, 'listening')
  const proxy = await startNeonProxy({ port: 0, postgresPort: (postgres.address() as AddressInfo).port })
  stop = async () => {
    await proxy.stop()
    postgres.close()
  }
  return proxy
}

test('a Postgres that dies between two queries of a transaction fails that request, and not the process', async () => {
  const { port } = await startProxy()
  const send = () =>
    fetch(`http://127.0.0.1:${port}/sql`, {
      method: 'POST',
      headers: { 'neon-connection-string': 'postgresql://u:p@anywhere/db' },
      body: JSON.stringify({ queries: [{ query: 'select 1' }, { query: 'select 2' }] }),
    })
  for (let i = 0; i < 3; i += 1) expect((await send()).status).toBe(500)
})
