import path from 'node:path'
import * as v from 'valibot'
import { readJson, writeJsonAtomically } from '../atomic-file.ts'

const demoStateSchema = v.object({
  tenant_id: v.string(),
  tenant: v.string(),
  key: v.string(),
  webhook_id: v.string(),
  webhook_secret: v.string(),
  /** Epoch ms: where the labelled failures end. A resumed run must send the same bytes. */
  anchor: v.number(),
  /** What the replay came to, once it was complete. */
  sent: v.optional(v.object({ batches: v.number(), datapoints: v.number(), rejected: v.number() })),
})

/** What the demo remembers between two runs; holds the demo tenant's key. */
export type DemoState = v.InferOutput<typeof demoStateSchema>

const fileOf = (stateDir: string) => path.join(stateDir, 'demo.json')

export const readDemoState = (stateDir: string) => readJson(fileOf(stateDir), demoStateSchema)

export const writeDemoState = (stateDir: string, state: DemoState) =>
  writeJsonAtomically(fileOf(stateDir), state)
