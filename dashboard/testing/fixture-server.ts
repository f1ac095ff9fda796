import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { build } from 'vite'

const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
}

/** Builds the dashboard aside and serves it on a free port, with `answer` as its API. */
export async function startFixtureServer(answer: (request: Request) => Response) {
  const dist = await mkdtemp(path.join(tmpdir(), 'edgepulse-dashboard-'))
  const root = path.join(import.meta.dirname, '..')
  await build({ root, envDir: false, logLevel: 'warn', build: { outDir: dist } })

  const policy = /Content-Security-Policy: (.*)/.exec(
    await readFile(path.join(dist, '_headers'), 'utf8'),
  )?.[1]
  if (!policy) throw new Error('The build names no Content-Security-Policy.')

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`)
    const isApi = url.pathname.startsWith('/v1/')
    const answered = isApi ? answer(webRequest(request, url)) : await fileResponse(dist, url.pathname, policy)
    response.writeHead(answered.status, Object.fromEntries(answered.headers))
    response.end(Buffer.from(await answered.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}/`,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(dist, { recursive: true, force: true })
    },
  }
}

function webRequest(request: IncomingMessage, url: URL): Request {
  const key = request.headers['x-api-key']
  return new Request(url, { headers: typeof key === 'string' ? { 'X-API-Key': key } : {} })
}

/** Under the policy of the deployed page, so that a test fails where it would break there. */
async function fileResponse(dist: string, pathname: string, policy: string): Promise<Response> {
  const file = path.join(dist, pathname === '/' ? 'index.html' : pathname)
  const body = await readFile(file).catch(() => undefined)
  if (!body) return new Response('Not found', { status: 404 })
  const headers = {
    'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    'Content-Security-Policy': policy,
  }
  return new Response(body, { headers })
}
