import path from 'node:path'
import * as v from 'valibot'
import { unstable_readConfig } from 'wrangler'
import { ROOT } from './settings.ts'

// Loose: the rest is wrangler's.
const configSchema = v.looseObject({
  name: v.string(),
  r2_buckets: v.array(v.looseObject({ bucket_name: v.string() })),
  queues: v.looseObject({
    producers: v.array(v.looseObject({ queue: v.string() })),
    consumers: v.array(v.looseObject({ queue: v.string(), dead_letter_queue: v.optional(v.string()) })),
  }),
  analytics_engine_datasets: v.array(v.looseObject({ dataset: v.string() })),
  ratelimits: v.array(v.looseObject({ namespace_id: v.string() })),
  secrets: v.looseObject({ required: v.array(v.string()) }),
})

/** wrangler.toml as wrangler reads it for an environment; '' is production. */
export const wranglerConfig = (env: string) =>
  v.parse(configSchema, unstable_readConfig({ config: path.join(ROOT, 'wrangler.toml'), env }))
