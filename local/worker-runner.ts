// Runs the bundled Worker in workerd through Miniflare, wrangler's own simulator of the platform, without
// wrangler's development proxy, which costs a factor of three in throughput. A process of its own, started by
// worker-process.ts: it lives and ends with its workerd.
import { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import path from 'node:path'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import * as v from 'valibot'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'
import { ROOT } from './settings.ts'
import { type RunnerMessage, type RunnerOptions, runnerOptionsSchema } from './worker-runner-options.ts'

process.once('message', (message) => run(v.parse(runnerOptionsSchema, message)))

async function run(options: RunnerOptions): Promise<void> {
  let stopping = false
  onWorkerd((workerd) => {
    tell({ pid: workerd.pid ?? 0 })
    // Miniflare would start another by itself; a fresh start of everything is the simpler promise.
    workerd.once('exit', () => stopping || process.exit(1))
  })
  const miniflare = new Miniflare(convertV4MiniflareOptions(miniflareOptions(options)))
  const stop = async () => {
    stopping = true
    await miniflare.dispose()
    process.exit(0)
  }
  // Before Miniflare's own handlers, which end the process at once.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.prependListener(signal, stop)
  process.on('disconnect', stop) // the supervisor is gone
  await miniflare.ready // a failure ends this process, and with it the start
}

const tell = (message: RunnerMessage) => process.send?.(message)

/** Calls `found` with every workerd process that Miniflare starts; it names none of them itself. */
function onWorkerd(found: (workerd: ChildProcess) => void): void {
  subscribe('child_process', (message) => {
    const child = typeof message === 'object' && message && 'process' in message ? message.process : undefined
    if (child instanceof ChildProcess) {
      child.once('spawn', () => path.basename(child.spawnfile).startsWith('workerd') && found(child))
    }
  })
}

const bucketsSchema = v.record(v.string(), v.object({ id: v.string() }))

/** The settings of wrangler.toml as wrangler itself hands them to Miniflare, with the local ones on top. */
function miniflareOptions(options: RunnerOptions) {
  const { bundle, port, persistDir, bindings, s3Credentials } = options
  const { workerOptions } = unstable_getMiniflareWorkerOptions(path.join(ROOT, 'wrangler.toml'))
  const { modulesRules: _, ...platform } = workerOptions // the bundle needs no more rules
  return {
    ...platform,
    name: 'edgepulse',
    modules: [{ type: 'ESModule' as const, path: bundle }],
    modulesRoot: path.dirname(bundle),
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
