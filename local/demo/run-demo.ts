import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningStack } from '../run-stack.ts'
import { startWebhookReceiver } from '../webhook-receiver.ts'
import { demoBatches } from './demo-batches.ts'
import { readDemoSeries } from './demo-series.ts'
import { type DemoState, writeDemoState } from './demo-state.ts'
import { demoTenant } from './demo-tenant.ts'
import { type DemoParts, examine, type Facts } from './examine.ts'
import { replay } from './replay.ts'
import { missing, summary } from './verdict.ts'

/** How long storing, scoring and delivering may take before the demo reports what is missing. */
const PATIENCE_MS = 240_000
const LOOK_MS = 1_500
const REPORT_EVERY_MS = 10_000

/** Replays the bundled data once per state folder, waits for what comes out, and prints it. Tells what is missing. */
export async function runDemo(running: RunningStack): Promise<string[]> {
  const { stateDir, progress, signal } = running
  const receiver = await startWebhookReceiver(path.join(stateDir, 'received-webhooks.jsonl'))
  signal.addEventListener('abort', () => receiver.stop())
  const { api, state } = await demoTenant(running, receiver.url)
  receiver.expect(state.webhook_secret)
  progress.step(`The demo tenant is "${state.tenant}"; its webhooks go to ${receiver.url}.`)
  const series = readDemoSeries(state.anchor)
  const parts = { api, state, series, receiver, databaseUrl: running.stack.databaseUrl }
  const sent = state.sent ?? (await replayAll(running, parts))
  const { facts, faults } = await untilComplete(running, parts, sent)
  print(running, facts, sent, state)
  return faults
}

async function replayAll({ progress, stateDir }: RunningStack, { api, state, series }: DemoParts) {
  const gateways = demoBatches(series, state.anchor)
  const batches = gateways.flat().length
  let nextReport = Date.now() + REPORT_EVERY_MS
  progress.step(`Replaying ${batches} batches of ${gateways.length} gateways…`)
  const result = await replay(api, gateways, (done) => {
    if (Date.now() < nextReport) return
    nextReport += REPORT_EVERY_MS
    progress.step(`${done} of ${batches} batches are sent…`)
  })
  const { duplicates, ...sent } = result
  writeDemoState(stateDir, { ...state, sent })
  progress.step(`${sent.batches} batches are accepted, ${duplicates} answers said "duplicate".`)
  return sent
}

type Sent = NonNullable<DemoState['sent']>

async function untilComplete(running: RunningStack, parts: DemoParts, sent: Sent) {
  const giveUp = Date.now() + PATIENCE_MS
  let [reported, nextReport] = ['', 0]
  for (;;) {
    const facts = await examine(parts)
    const faults = missing(facts, sent)
    if (faults.length === 0 || Date.now() > giveUp) return { facts, faults }
    const line = `Waiting: ${faults.slice(0, 2).join('; ')}…`
    if (line !== reported || Date.now() > nextReport) {
      running.progress.step(line)
      nextReport = Date.now() + REPORT_EVERY_MS
      reported = line
    }
    await sleep(LOOK_MS, undefined, { signal: running.signal })
  }
}

function print({ stack, progress }: RunningStack, facts: Facts, sent: Sent, state: DemoState): void {
  progress.step('The demo came out as follows (times in UTC):')
  for (const line of summary(facts, sent)) console.log(`          ${line}`)
  console.log(`\n  Dashboard  ${stack.url}/\n  Demo key   ${state.key}\n`)
}
