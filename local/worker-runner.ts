// Runs the bundled Worker in workerd through Miniflare, wrangler's own simulator of the platform, without
// wrangler's development proxy, which costs a factor of three in throughput. A process of its own, started by
// worker-process.ts: it lives and ends with its workerd.
import { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { constants } from 'node:os'
import path from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import * as v from 'valibot'
import { miniflareOptions } from './miniflare-options.ts'
import { type RunnerMessage, type RunnerOptions, runnerOptionsSchema } from './worker-runner-options.ts'

process.once('message', (message) => run(v.parse(runnerOptionsSchema, message)))

async function run(options: RunnerOptions): Promise<void> {
  let stopping = false
  onWorkerd((workerd) => {
    tell({ pid: workerd.pid ?? 0 })
    // Miniflare would start another by itself; a fresh start of everything is the simpler promise. How it ended is
    // told as shells do (137: SIGKILL, 139: SIGSEGV), for the supervisor to say.
    workerd.once('exit', (code, signal) => {
      if (!stopping) process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal])
    })
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
