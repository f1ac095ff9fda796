import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it, test } from 'vitest'
import { audit, judgeAudit } from './audit.ts'

const report = (severity?: string) =>
  JSON.stringify({
    vulnerabilities: severity === undefined ? {} : { leaky: { name: 'leaky', severity, range: '<2' } },
    metadata: { vulnerabilities: { [severity ?? 'info']: severity === undefined ? 0 : 1, total: 1 } },
  })

test.each([
  ['no hole', report(), 0, 'No high or critical hole'],
  ['a moderate hole', report('moderate'), 0, '1 lesser'],
  ['a high hole', report('high'), 1, 'high: leaky <2'],
  ['a critical hole', report('critical'), 1, 'critical: leaky <2'],
  ['a registry without the endpoint', '{"statusCode":404,"message":"404 Not Found"}', 0, 'NOT AUDITED'],
  ['one that knows no such method', '{"statusCode":405}', 0, 'NOT AUDITED'],
  ['one that is out of order', '{"statusCode":503,"message":"503"}', 1, 'could not be audited'],
  ['no network', '{"error":{"code":"ENOTFOUND"}}', 1, 'could not be audited'],
  ['no output', '', 1, 'could not be audited'],
])('%s', (_, output, exitCode, told) => {
  const outcome = judgeAudit(output)
  expect(outcome.exitCode).toBe(exitCode)
  expect(outcome.told).toContain(told)
})

describe('npm itself, asking a registry', () => {
  let server: Server
  let cache: string
  afterEach(() => {
    server.close()
    rmSync(cache, { recursive: true, force: true })
  })

  /** A registry on loopback that answers audits with a status and a body. */
  async function registry(status: number, advisories: unknown): Promise<NodeJS.ProcessEnv> {
    server = createServer((request, response) => {
      request.resume()
      const isAudit = request.method === 'POST' && request.url?.endsWith('/advisories/bulk')
      response.writeHead(isAudit ? status : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(isAudit ? advisories : {}))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    cache = mkdtempSync(path.join(tmpdir(), 'edgepulse-audit-')) // npm keeps what it heard of an advisory
    const own = { npm_config_registry: `http://127.0.0.1:${port}/`, npm_config_cache: cache }
    return { PATH: process.env['PATH'], HOME: process.env['HOME'], ...own, npm_config_fetch_retries: '0' }
  }

  const hole = (severity: string) => ({
    valibot: [{ id: 1, url: 'https://example.com', title: 'a hole', severity, vulnerable_versions: '*' }],
  })

  it('finds the hole of a dependency of ours', async () => {
    const outcome = await audit(await registry(200, hole('high')))
    expect(outcome).toMatchObject({ exitCode: 1, told: expect.stringContaining('high: valibot') })
  })

  it('lets a lesser one pass', async () => {
    expect(await audit(await registry(200, hole('low')))).toMatchObject({ exitCode: 0 })
  })

  it('is content where there are none', async () => {
    expect(await audit(await registry(200, {}))).toMatchObject({ exitCode: 0 })
  })

  it('says that it could not ask a registry without the endpoint', async () => {
    const { exitCode, told } = await audit(await registry(404, {}))
    expect([exitCode, told]).toEqual([0, expect.stringContaining('NOT AUDITED')])
  })

  it('fails when the registry is out of order', async () => {
    expect(await audit(await registry(500, {}))).toMatchObject({ exitCode: 1 })
  })
})
