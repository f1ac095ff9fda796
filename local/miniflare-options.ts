import path from 'node:path'
import { Log, LogLevel } from 'miniflare'
import * as v from 'valibot'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'
import { ROOT } from './settings.ts'
import type { RunnerOptions } from './worker-runner-options.ts'

const bucketsSchema = v.record(v.string(), v.object({ id: v.string() }))

// Loose: the rest is Miniflare's.
const assetsSchema = v.looseObject({ directory: v.string() })

/** The settings of wrangler.toml as wrangler itself hands them to Miniflare, with the local ones on top. */
export function miniflareOptions(options: RunnerOptions) {
  const { bundle, assetsDir, port, persistDir, bindings, s3Credentials } = options
  const { workerOptions } = unstable_getMiniflareWorkerOptions(path.join(ROOT, 'wrangler.toml'))
  const { modulesRules: _, ...platform } = workerOptions // the bundle needs no more rules
  return {
    ...platform,
    name: 'edgepulse',
    modules: [{ type: 'ESModule' as const, path: bundle }],
    modulesRoot: path.dirname(bundle),
    ...(assetsDir !== undefined && {
      assets: { ...v.parse(assetsSchema, platform.assets), directory: assetsDir },
    }),
    bindings: { ...v.parse(v.record(v.string(), v.string()), platform.bindings), ...bindings },
    r2Buckets: Object.fromEntries(
      Object.entries(v.parse(bucketsSchema, platform.r2Buckets)).map(([name, bucket]) => [
        name,
        { ...bucket, s3Credentials },
      ]),
    ),
    host: '127.0.0.1',
    port,
    cf: false,
    resourcePersistencePath: persistDir,
    telemetry: { enabled: false },
    log: new Log(LogLevel.WARN),
  }
}
