import { createServer } from 'node:http'

export interface StatusServer {
  port: number
  stop(): Promise<void>
}

/** Serves `/healthz` and `/metrics` on `port` (0: a free one). `metrics` may take a moment and must not throw. */
export async function startStatusServer(
  port: number,
  answers: { health: () => object; metrics: () => Promise<string> },
): Promise<StatusServer> {
  const server = createServer(async (request, response) => {
    if (request.url === '/healthz') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers.health()))
    } else if (request.url === '/metrics') {
      const text = await answers.metrics()
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text)
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n')
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, resolve)
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
