import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import pg from 'pg'
import * as v from 'valibot'
import { type WebSocket, WebSocketServer } from 'ws'

/** Neon's own proxy takes 10 MiB by default; a larger request must fail here as well. */
const MAX_REQUEST_BYTES = 10 * 1024 * 1024

const Query = v.object({ query: v.string(), params: v.optional(v.array(v.unknown()), []) })
const Body = v.union([Query, v.object({ queries: v.array(Query) })])
type Query = v.InferOutput<typeof Query>

const ISOLATION_LEVELS: Record<string, string> = {
  ReadUncommitted: 'read uncommitted',
  ReadCommitted: 'read committed',
  RepeatableRead: 'repeatable read',
  Serializable: 'serializable',
}

export interface NeonProxy {
  port: number
  stop(): Promise<void>
}

export interface NeonProxyOptions {
  /** Where to listen on 127.0.0.1; 0 takes a free port. */
  port: number
  postgresHost?: string
  postgresPort: number
}

/**
 * Speaks Neon's serverless protocol in front of a plain Postgres: `POST /sql` (one query, or an atomic batch)
 * and, as a WebSocket, a plain tunnel to Postgres. The shapes are those of @neondatabase/serverless 1.2 and
 * Neon's open-source proxy.
 */
export async function startNeonProxy(options: NeonProxyOptions): Promise<NeonProxy> {
  const { postgresHost = '127.0.0.1', postgresPort } = options
  const pools = new Map<string, pg.Pool>()
  const poolFor = (headers: IncomingHttpHeaders) => {
    const url = connectionString(headers, postgresHost, postgresPort)
    const known = pools.get(url)
    if (known) return known
    const pool = new pg.Pool({ connectionString: url, max: 20, connectionTimeoutMillis: 5_000 })
    pool.on('error', () => {}) // a lost idle connection shows in the next query
    // One lost between two queries of a transaction, too: nobody listening would end the whole process.
    pool.on('connect', (client) => client.on('error', () => {}))
    pools.set(url, pool)
    return pool
  }
  const server = createServer(async (request, response) => {
    const { status, body } = await answer(request, poolFor)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  // Longer than clients keep an idle connection: Node's 5 s are also workerd's, and a request may meet the close.
  server.keepAliveTimeout = 60_000
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => tunnel(socket, postgresHost, postgresPort))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await Promise.all([...pools.values()].map((pool) => pool.end()))
    },
  }
}

/** User, password and database are the caller's; host and port are always those of the one Postgres behind. */
function connectionString(headers: IncomingHttpHeaders, host: string, port: number): string {
  const url = new URL(String(headers['neon-connection-string']))
  const local = new URL(`postgresql://${host}:${port}`)
  local.username = url.username
  local.password = url.password
  local.pathname = url.pathname
  local.search = url.search
  return local.href
}

async function answer(
  request: IncomingMessage,
  poolFor: (headers: IncomingHttpHeaders) => pg.Pool,
): Promise<{ status: number; body: object }> {
  try {
    const body = v.parse(Body, JSON.parse(await readText(request)))
    const client = await poolFor(request.headers).connect()
    try {
      const result =
        'queries' in body
          ? { results: await transaction(client, body.queries, request.headers) }
          : await run(client, body)
      client.release()
      return { status: 200, body: result }
    } catch (error) {
      client.release(true) // its transaction state is unknown
      throw error
    }
  } catch (error) {
    return failure(error)
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > MAX_REQUEST_BYTES) throw new Error(`request is larger than ${MAX_REQUEST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function transaction(client: pg.PoolClient, queries: Query[], headers: IncomingHttpHeaders) {
  const isolation = ISOLATION_LEVELS[String(headers['neon-batch-isolation-level'])] ?? 'read committed'
  const access = headers['neon-batch-read-only'] === 'true' ? 'read only' : 'read write'
  await client.query(`begin isolation level ${isolation} ${access}`)
  const results = []
  for (const query of queries) results.push(await run(client, query))
  await client.query('commit')
  return results
}

/** Values travel as Postgres' own text, as the driver asks with Neon-Raw-Text-Output and Neon-Array-Mode. */
async function run(client: pg.PoolClient, { query, params }: Query) {
  const result = await client.query({
    text: query,
    values: params,
    rowMode: 'array',
    types: { getTypeParser: () => (value: unknown) => value },
  })
  const fields = result.fields.map((field) => ({ ...field }))
  return { command: result.command, rowCount: result.rowCount, rows: result.rows, fields, rowAsArray: true }
}

/** Postgres' own errors are 400 with its fields; an unreachable Postgres is a 500, as Neon answers. */
function failure(error: unknown): { status: number; body: object } {
  if (error instanceof pg.DatabaseError) return { status: 400, body: { ...error, message: error.message } }
  return { status: 500, body: { message: error instanceof Error ? error.message : String(error) } }
}

function tunnel(socket: WebSocket, host: string, port: number): void {
  const postgres = connect(port, host)
  socket.on('message', (data: Buffer) => postgres.write(data))
  socket.on('close', () => postgres.end())
  socket.on('error', () => postgres.destroy())
  postgres.on('data', (data) => socket.send(data))
  postgres.on('close', () => socket.close())
  postgres.on('error', () => socket.terminate())
}
