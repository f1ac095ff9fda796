import { describe, expect, it } from 'vitest'
import { ownDatabase } from './testing/own-database.ts'
import { runCli } from './testing/run-cli.ts'
import { addRule, SECRET_KEY } from './testing/seed-alerting.ts'
import { type SeededTenant, seedTenant } from './testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from './testing/synthetic.ts'

const START = Date.UTC(2026, 0, 1)

// Some commands work on everything there is, so these tests have a database of their own.
const { pool, url } = ownDatabase()

const environment = (tenant: SeededTenant) => ({
  DATABASE_URL: url(),
  MODEL_DIR: tenant.modelDir,
  WEBHOOK_SECRET_KEY: SECRET_KEY,
})

/** A metric whose device name holds slashes, with windows that hold several datapoints. */
async function seeded(windows = 160) {
  const tenant = await seedTenant(pool())
  const series = await tenant.series('plant/line-1/pump', 'temperature')
  const points = steadyPoints(START, windows)
  const more = points.map(([ts, value]): [number, number] => [ts + 60_000, value + 0.5])
  if (windows > 0) await tenant.write(series, [...points, ...more], { datapoints: true })
  const target = ['--tenant', tenant.name, '--metric', 'plant/line-1/pump/temperature']
  return { tenant, series, target, env: environment(tenant) }
}

describe('the command line', () => {
  it.each([
    ['nothing at all', []],
    ['an unknown command', ['divine']],
    ['a threshold that is none', ['backtest', '--tenant', 'a', '--metric', 'b', '--threshold', 'high']],
    ['an unknown option', ['score', '--loud']],
    ['an option without its value', ['score', '--tenant']],
    ['neither --all nor a metric', ['score', '--tenant', 'a']],
    ['--all with a metric', ['train', '--all', '--metric', 'a/b']],
    ['a time that is none', ['features', '--tenant', 'a', '--metric', 'b', '--from', 'yesterday']],
    ['an unknown format', ['features', '--tenant', 'a', '--metric', 'b', '--format', 'xml']],
    ['an unknown tenant', ['features', '--tenant', 'nobody', '--metric', 'b']],
    ['a useless interval', ['serve', '--every', '0']],
  ])('answers %s with one sentence and exit code 2', async (_name, args) => {
    const tenant = await seedTenant(pool())
    const { code, stdout, stderr } = await runCli(args, environment(tenant))
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^[A-Z"-][^\n]*\.\n$/)
  })

  it.each([['help'], ['--help'], ['score --help']])(
    'answers %s with its commands, and asks for nothing',
    async (line) => {
      const { code, stdout, stderr } = await runCli(line.split(' '), {})
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toMatch(/^ {2}score \[--tenant …\] .*\[--all\]$/m)
    },
  )

  it.each(['DATABASE_URL', 'MODEL_DIR'])('names %s when it is missing', async (name) => {
    const tenant = await seedTenant(pool())
    const { code, stderr } = await runCli(['score', '--all'], { ...environment(tenant), [name]: '' })
    expect(code).toBe(2)
    expect(stderr).toMatch(new RegExp(`^Set ${name} to [^\\n]*\\.\\n$`))
  })

  it('says that a bucket is missing behind s3://', async () => {
    const tenant = await seedTenant(pool())
    const { code, stderr } = await runCli(['train', '--all'], { ...environment(tenant), MODEL_DIR: 's3://' })
    expect([code, stderr]).toEqual([2, 'MODEL_DIR must be s3:// and the name of a bucket.\n'])
  })

  it.each(['2', 'all', '-1'])('says what LOG_SAMPLE_RATE must be where it is %s', async (rate) => {
    const tenant = await seedTenant(pool())
    const { code, stderr } = await runCli(['deliver'], { ...environment(tenant), LOG_SAMPLE_RATE: rate })
    expect([code, stderr]).toEqual([2, 'LOG_SAMPLE_RATE must be a number from 0 to 1.\n'])
  })

  it('exits 1 with a log line when the database is away', async () => {
    const tenant = await seedTenant(pool())
    const env = { ...environment(tenant), DATABASE_URL: 'postgresql://127.0.0.1:1/none' }
    const { code, stderr } = await runCli(['retention'], env)
    expect(code).toBe(1)
    expect(JSON.parse(stderr)).toMatchObject({ level: 'error' })
  })

  it('exits 0 where there is nothing to do', async () => {
    const { tenant, target, env } = await seeded(0)
    for (const args of [
      ['features', ...target],
      ['train', ...target],
      ['train', '--all', '--tenant', tenant.name],
      ['score', ...target],
    ]) {
      expect([args, (await runCli(args, env)).code]).toEqual([args, 0])
    }
    expect((await runCli(['features', ...target, '--format', 'json'], env)).stdout).toBe('[]\n')
  })
})

describe('features', () => {
  it('prints the same windows as CSV and JSON, from either source, within half-open bounds', async () => {
    const { target, env } = await seeded(20)
    const bounds = ['--from', new Date(START + WINDOW).toISOString(), '--to', String(START + 4 * WINDOW)]
    const print = async (...args: string[]) =>
      (await runCli(['features', ...target, ...bounds, ...args], env)).stdout
    const csv = await print('--format', 'csv')
    const [header, ...lines] = csv.trim().split('\n')
    expect(header).toBe('window_start,window_end,count,mean,std,median,mad,min,max,range')
    expect(lines.map((line) => Date.parse(line.split(',')[0]!))).toEqual(
      [1, 2, 3].map((i) => START + i * WINDOW),
    )
    const json: Record<string, unknown>[] = JSON.parse(await print('--format', 'json'))
    expect(json.map((row) => Object.values(row).join(','))).toEqual(lines)
    expect(await print('--format', 'csv', '--source', 'datapoints')).toBe(csv)
    expect(await print('--format', 'csv', '--source', 'aggregates')).toBe(csv)
    expect((await print()).split('\n')).toHaveLength(5)
  })
})

describe('train and score', () => {
  it('train a metric by its names, then score it, and write nothing more the second time', async () => {
    const { series, target, env } = await seeded()
    const trained = await runCli(['train', ...target], env)
    expect([trained.code, trained.stdout]).toEqual([0, expect.stringMatching(/trained on 144 windows until/)])
    const scored = await runCli(['score', ...target], env)
    expect([scored.code, scored.stdout]).toEqual([
      0,
      expect.stringMatching(/: 160 windows scored, 0 changed/),
    ])
    const log = JSON.parse(scored.stderr)
    expect(log).toMatchObject({ tenant_id: series.tenantId, metric_id: series.metricId, scored: 160 })
    const again = await runCli(['score', '--tenant', series.tenantId, '--metric', series.metricId], env)
    expect(again.stdout).toMatch(/: 0 windows scored, 0 changed/)
  })

  it('say when a metric will be ready, and of one that stopped sending only that it is not', async () => {
    const { tenant, env } = await seeded(1)
    const trained = async (name: string, start: number) => {
      const series = await tenant.series('pump', name)
      await tenant.write(series, steadyPoints(start, 10))
      return (await runCli(['train', '--tenant', tenant.name, '--metric', series.metricId], env)).stdout
    }
    const start = Math.floor(Date.now() / WINDOW) * WINDOW - 10 * WINDOW
    const readyAt = new Date(start + 144 * WINDOW).toISOString()
    expect(await trained('sends', start)).toBe(
      `pump/sends: not enough history yet, 10 windows, ready at about ${readyAt}\n`,
    )
    expect(await trained('stopped', START)).toBe('pump/stopped: not enough history yet, 10 windows\n')
  })

  it('score only the asked stretch of time, and nothing that is not due in it', async () => {
    const { series, target, env } = await seeded()
    const bounds = (from: number, to: number) => [
      ...['--from', String(START + from * WINDOW), '--to', String(START + to * WINDOW)],
    ]
    const stdoutOf = async (...args: string[]) => (await runCli(['score', ...target, ...args], env)).stdout
    expect(await stdoutOf(...bounds(0, 20))).toMatch(/: 19 windows scored/)
    await pool().query('update anomaly_scores set score = 7 where tenant_id = $1', [series.tenantId])
    expect(await stdoutOf(...bounds(5, 10))).toMatch(/: 0 windows scored, 5 changed/)
    expect(await stdoutOf(...bounds(30, 40))).toMatch(/: 20 windows scored/)
    expect(await stdoutOf()).toMatch(/: 121 windows scored, 14 changed/)
  })

  it('raise an alert that deliver hands over', async () => {
    const { tenant, series, env, target } = await seeded()
    await addRule(pool(), tenant.tenantId)
    await tenant.write(series, [[START + 160 * WINDOW, 500]])
    expect((await runCli(['score', ...target], env)).stdout).toMatch(/1 alerts opened/)
    const { code, stdout } = await runCli(['deliver'], env)
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^\d+ delivered, \d+ to be retried, \d+ failed\n$/),
    ])
  })
})
