import { expect, it } from 'vitest'
import { wranglerConfig } from './wrangler-config.ts'

const GIVEN = [
  ...['vars', 'secrets', 'durable_objects', 'migrations', 'ratelimits', 'r2_buckets', 'queues', 'assets'],
  ...[
    'main',
    'compatibility_date',
    'compatibility_flags',
    'observability',
    'alias',
    'analytics_engine_datasets',
  ],
]

/** What an environment is given, its own names and numbers apart. */
function given(env: string): unknown {
  const config = wranglerConfig(env)
  const text = JSON.stringify(Object.fromEntries(GIVEN.map((name) => [name, config[name]])))
  return JSON.parse(text.replaceAll(/[-_]staging"/g, '"').replace('"1002"', '"1001"'))
}

/** The things of the account that an environment works on. */
function things(env: string): string[] {
  const { name, queues, r2_buckets, ratelimits, analytics_engine_datasets } = wranglerConfig(env)
  return [
    name,
    ...queues.producers.map(({ queue }) => queue),
    ...queues.consumers.flatMap(({ queue, dead_letter_queue }) => [queue, dead_letter_queue ?? queue]),
    ...r2_buckets.map(({ bucket_name }) => bucket_name),
    ...analytics_engine_datasets.map(({ dataset }) => dataset),
    ...ratelimits.map(({ namespace_id }) => namespace_id),
  ]
}

it('staging is given all that production is', () => {
  expect(given('staging')).toEqual(given(''))
})

it('staging shares no queue, bucket or counter with production', () => {
  const production = new Set(things(''))
  expect(production.size).toBe(7)
  expect(things('staging').filter((name) => production.has(name))).toEqual([])
})
