// `npm run bench`: the benchmarks as a table, or with `--json` as one JSON object a line; a NAME runs one,
// `growth` tells the growth of all.
// Each runs in a process of its own, so that none inherits another's heap and compiled code.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { NODE } from '../local/settings.ts'
import { parseArguments } from './arguments.ts'
import { parseLine, tableRow } from './report.ts'

/** Each prints a line for itself, then those of its growth and variants. */
const BENCHMARKS: Record<string, string> = {
  edge_cpu: './edge/edge-cpu.ts',
  edge_stages: './edge/edge-stages.ts',
  ingest_rate: './rate/ingest-rate.ts',
  dashboard_pan: './dashboard/pan.ts',
  flush_rate: './flush/flush-rate.ts',
  feature_rate: './score/feature-rate.ts',
  score_rate: './score/score-rate.ts',
  score_step: './score/score-step.ts',
}

/** Runs one benchmark and shows its lines as they come; resolves with its exit code. */
async function run(file: string, show: (line: string) => void): Promise<number> {
  const child = spawn(NODE, [fileURLToPath(new URL(file, import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const stop = (signal: NodeJS.Signals) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)))
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{')) show(line)
    else console.error(line) // wrangler says there that it found the secrets
  }
  return ended
}

try {
  const { json, names, onlyGrowth } = parseArguments(process.argv.slice(2), Object.keys(BENCHMARKS))
  const show = (line: string) => {
    const parsed = parseLine(line)
    if (!onlyGrowth || parsed.name === 'growth') console.log(json ? line : tableRow(parsed))
  }
  for (const name of names) {
    const code = await run(BENCHMARKS[name]!, show)
    if (code !== 0) throw new Error(`The benchmark ${name} failed (${code}).`)
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
process.disconnect?.() // the channel to run.mjs would keep this process
