import { describe, expect, it } from 'vitest'
import { app } from './app.ts'

const env = { CORS_ORIGINS: 'https://board.example, https://other.example' }

const ask = (origin: string | undefined, path = '/v1/health', method = 'GET') => {
  const headers = origin === undefined ? {} : { origin, 'access-control-request-method': 'GET' }
  return app.request(path, { method, headers }, env)
}

const allowed = (answer: Response) => answer.headers.get('access-control-allow-origin')

describe('CORS', () => {
  it.each(['https://board.example', 'https://other.example'])(
    'lets pages of %s read answers',
    async (origin) => {
      const answer = await ask(origin)
      expect([answer.status, allowed(answer)]).toEqual([200, origin])
      expect(answer.headers.get('vary')).toContain('Origin')
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    },
  )

  it.each(['https://evil.example', 'https://board.example.evil.example', 'null', '', '*', undefined])(
    'does not let pages of %j',
    async (origin) => {
      for (const method of ['GET', 'OPTIONS'])
        expect(allowed(await ask(origin, '/v1/health', method))).toBeNull()
    },
  )

  it('answers the question before a request with what may be sent', async () => {
    const answer = await ask('https://board.example', '/v1/alert-rules', 'OPTIONS')
    expect([answer.status, allowed(answer)]).toEqual([204, 'https://board.example'])
    expect(answer.headers.get('access-control-allow-headers')).toContain('X-API-Key')
    expect(answer.headers.get('access-control-allow-methods')).toBe('GET,POST,PATCH,DELETE')
  })

  it('shows a page the refusals too, and when to come again', async () => {
    const answer = await ask('https://board.example', '/v1/devices')
    expect([answer.status, allowed(answer)]).toEqual([401, 'https://board.example'])
    expect(answer.headers.get('access-control-expose-headers')).toBe('Retry-After,Traceparent')
  })

  it('keeps administration from every page', async () => {
    expect(allowed(await ask('https://board.example', '/admin/tenants', 'OPTIONS'))).toBeNull()
  })

  it('is off unless it is set', async () => {
    const headers = { origin: 'https://board.example' }
    for (const CORS_ORIGINS of ['', undefined]) {
      expect(allowed(await app.request('/v1/health', { headers }, { CORS_ORIGINS }))).toBeNull()
    }
  })
})
