import fastifyApiReference from '@scalar/fastify-api-reference'
import type { Plugin } from 'vite'

/**
 * Adds `reference/scalar.js`, the reader of the API's description that /v1/docs loads. It comes from Scalar's
 * plugin for Fastify, which carries the finished bundle: the package that the bundle is made from would bring
 * 280 others along.
 */
export function referencePlugin(): Plugin {
  return {
    name: 'edgepulse-reference',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'reference/scalar.js', source: scalarBundle() })
    },
  }
}

interface Route {
  url: string
  handler(request: object, reply: Reply): void
}

interface Reply {
  header(): Reply
  send(body: string): void
}

/** The script, asked for as a browser would ask a Fastify server with the plugin. */
function scalarBundle(): string {
  let bundle = ''
  const reply: Reply = {
    header: () => reply,
    send: (body) => {
      bundle = body
    },
  }
  const route = ({ url, handler }: Route) => {
    if (url.endsWith('.js')) handler({}, reply)
  }
  const server = { initialConfig: {}, hasPlugin: () => false, route }
  fastifyApiReference(server, { configuration: { url: '/v1/openapi.json' } }, () => {})
  if (bundle === '')
    throw new Error('Scalar’s plugin for Fastify serves no script any more; see its changelog.')
  return bundle
}
