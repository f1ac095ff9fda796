import * as v from 'valibot'
import type { Device, PresenceMarks } from './device-presence.ts'
import { hashOf } from './segment-hash.ts'

const Ms = v.number()
const Gap = v.nullable(v.object({ fromMs: Ms, untilMs: Ms, countedMs: Ms, cadenceMs: Ms }))

/** A device in a checkpoint: name, change, last arrival, last occasion, quiet, told cadence, intervals, gap. */
export const DeviceRow = v.tuple([
  ...[v.string(), v.number(), Ms, Ms, v.boolean(), v.nullable(Ms), v.array(Ms), Gap],
] as const)

export const deviceRow = (device: Device): v.InferOutput<typeof DeviceRow> => [
  device.name,
  device.change,
  device.lastArrivalMs,
  device.occasionMs,
  device.quiet,
  device.toldCadenceMs ?? null,
  device.intervalsMs,
  device.gap ?? null,
]

export function deviceOf(row: v.InferOutput<typeof DeviceRow>): Device {
  const [name, change, lastArrivalMs, occasionMs, quiet, toldCadenceMs, intervalsMs, gap] = row
  return {
    ...{ name, hash: hashOf(name), change, lastArrivalMs, occasionMs, quiet, intervalsMs },
    ...{ toldCadenceMs: toldCadenceMs ?? undefined, gap: gap ?? undefined },
  }
}

export const Marks = v.object({
  changes: v.number(),
  told: v.number(),
  countFromMs: Ms,
  dueMs: v.nullable(Ms),
  underWay: v.nullable(v.object({ flush: v.number(), upTo: v.number() })),
}) satisfies v.GenericSchema<unknown, PresenceMarks>

/** What is told of one device: the state of its last change, whose number orders what is told of it. */
export const DeviceReport = v.object({
  name: v.string(),
  change: v.number(),
  lastArrivalMs: Ms,
  /** Since its last arrival nothing has come for longer than usual. */
  quiet: v.boolean(),
  /** null: not known yet. */
  cadenceMs: v.nullable(Ms),
  gap: Gap,
})
export type DeviceReport = v.InferOutput<typeof DeviceReport>

/** What a flush tells of the shard's devices: those whose state Postgres does not know yet. */
export const PresenceReport = v.object({
  /** Up to here nothing of what was accepted is left to tell; null: there is more. */
  asOfMs: v.nullable(Ms),
  countFromMs: Ms,
  devices: v.array(DeviceReport),
})
export type PresenceReport = v.InferOutput<typeof PresenceReport>
