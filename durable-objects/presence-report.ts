import { usualIntervalMs } from './device-cadence.ts'
import type { Device, Presence, PresenceMarks } from './device-presence.ts'
import type { DeviceReport, PresenceReport } from './presence-frames.ts'
import type { Progress } from './progress.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'

/** A report is about this large at most, beside the windows of its flush. */
const REPORT_BYTES = 500_000
/** The numbers of a device in a report. */
const DEVICE_BYTES = 150

/**
 * What Postgres has not been told yet, with the number of the last change in it; undefined while an earlier report is
 * under way: one at a time, so that whichever was stored last, all before it was. O(devices).
 */
export function takeReport(
  { devices, told, changes, countFromMs, underWay }: Presence,
  now: number,
): { report: PresenceReport; upTo: number } | undefined {
  if (underWay !== null || devices.size === 0) return undefined
  const changed = [...devices.values()].filter(({ change }) => change > told)
  changed.sort((a, b) => a.change - b.change)
  let bytes = 0
  const fits = changed.findIndex(({ name }) => {
    bytes += DEVICE_BYTES + Buffer.byteLength(name)
    return bytes > REPORT_BYTES
  })
  const complete = fits === -1
  const within = complete ? changed : changed.slice(0, fits)
  const report = { asOfMs: complete ? now : null, countFromMs, devices: within.map(reportOf) }
  return { report, upTo: complete ? changes : within.at(-1)!.change }
}

const reportOf = (device: Device): DeviceReport => ({
  name: device.name,
  change: device.change,
  lastArrivalMs: device.lastArrivalMs,
  quiet: device.quiet,
  cadenceMs: usualIntervalMs(device) ?? null,
  gap: device.gap ?? null,
})

/** The marks of a shard beside its devices. */
export function marksBeside({ devices: _, ...marks }: Presence): PresenceMarks {
  return marks
}

/** Who could not be heard, as while a tenant is suspended, was not silent: it counts from now. Returns the new marks. */
export function countFrom(presence: Presence, now: number): PresenceMarks {
  presence.countFromMs = now
  return marksBeside(presence)
}

/** Postgres has a flush: what it told of devices is told. */
export function acknowledgeReport(marks: PresenceMarks, flush: number): void {
  if (marks.underWay?.flush !== flush) return
  marks.told = marks.underWay.upTo
  marks.underWay = null
}

/** The consumer gave up on a flush: the next one tells the same again. */
export function giveUpReport(marks: PresenceMarks, flush: number): void {
  if (marks.underWay?.flush === flush) marks.underWay = null
}

/** The marks as they are in truth: acknowledgements are written with the next flush only. */
export function marksOf(db: ShardStatements, { presence }: Progress): PresenceMarks {
  const marks = { ...presence }
  const flush = marks.underWay?.flush
  if (flush === undefined) return marks
  if (db.flush(flush) === undefined) acknowledgeReport(marks, flush)
  else if (db.parkedFlushes().includes(flush)) giveUpReport(marks, flush)
  return marks
}
