import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'

export interface ReceivedRequest {
  path: string
  headers: IncomingHttpHeaders
  body: string
}

/** A real HTTP receiver on loopback that keeps what it got and answers as `answer` says. */
export async function startReceiver(
  answer: (response: ServerResponse, request: ReceivedRequest, nth: number) => void = (response) => {
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
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
