import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'

export interface ReceivedRequest {
  path: string
  headers: IncomingHttpHeaders
  body: string
}

export type Answer = (response: ServerResponse, request: ReceivedRequest, nth: number) => void

/** A real HTTP receiver on loopback that keeps what it got and answers as `answer` says. */
export async function startReceiver(
  answer: Answer = (response) => {
    response.writeHead(204).end()
  },
) {
  const received: ReceivedRequest[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { url = '', headers } = request
    const got = { path: url, headers, body: Buffer.concat(chunks).toString('utf8') }
    received.push(got)
    answer(response, got, received.length)
  })
  let connections = 0
  server.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received,
    /** How many were opened, whatever came over them. */
    get connections() {
      return connections
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
