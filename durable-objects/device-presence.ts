import { type Cadence, learnArrival, usualIntervalMs } from './device-cadence.ts'
import { hashOf } from './segment-hash.ts'

/** A time without an arrival that was longer than usual, and ended. */
export interface Gap {
  /** The arrival before it and the one that ended it. */
  fromMs: number
  untilMs: number
  /** How much of it counts as silence: not what the shard itself was away. */
  countedMs: number
  /** What was usual then. */
  cadenceMs: number
}

/** What a shard knows of a device; instants are arrivals. */
export interface Device extends Cadence {
  name: string
  /** Which segment of a checkpoint it is in. */
  hash: number
  lastArrivalMs: number
  /** Whether Postgres was told, or will be, that nothing has come for longer than usual. */
  quiet: boolean
  gap: Gap | undefined
  /** The cadence that was last told. */
  toldCadenceMs: number | undefined
  /** The number of its last change; see `Presence.changes`. */
  change: number
}

/** What is kept of a shard's devices beside them. */
export interface PresenceMarks {
  /** Numbers what Postgres is to hear of; up to `told` it has. */
  changes: number
  told: number
  /** Silence before this does not count: the shard was away, and could hear nobody. */
  countFromMs: number
  /** When the shard meant to look at its devices again, at the latest; null: never. */
  dueMs: number | null
  /** The flush that tells of changes up to `upTo`, while nobody has acknowledged it. */
  underWay: { flush: number; upTo: number } | null
}

/** Who sends through this shard, and how often. Changes only with a commit, and the same way when it is replayed. */
export interface Presence extends PresenceMarks {
  devices: Map<string, Device>
}

/** What a rule can ask for at least: longer than this is worth telling Postgres. */
const QUIET_CADENCES = 2
const LEAST_QUIET_MS = 60_000
/** A change of cadence by less than this share is none. */
const CADENCE_STEP = 0.25
/** A shard that comes to look so much later than it meant to was away. */
const AWAY_MS = 120_000
/** The silence of a quiet device is confirmed after this, or after so much more of it: a rule may ask for any length. */
const CONFIRM_AFTER_MS = 60_000
const CONFIRM_SHARE = 0.1
/** How long a device that sends nothing is remembered, and how many are. */
const FORGET_AFTER_MS = 30 * 86_400_000
const MAX_DEVICES = 100_000

export const NO_MARKS: PresenceMarks = { changes: 0, told: 0, countFromMs: 0, dueMs: null, underWay: null }

export const emptyPresence = (): Presence => ({ ...NO_MARKS, devices: new Map() })

const quietAfterMs = (cadenceMs: number) => Math.max(QUIET_CADENCES * cadenceMs, LEAST_QUIET_MS)

/** A device has sent something; undefined when that is no news. O(1). */
export function hear(presence: Presence, name: string, arrivalMs: number): Device | undefined {
  noteAbsence(presence, arrivalMs)
  const device = presence.devices.get(name)
  if (device === undefined) return meet(presence, name, arrivalMs)
  if (arrivalMs <= device.lastArrivalMs) return undefined
  endSilence(presence, device, arrivalMs)
  learnArrival(device, arrivalMs, presence.countFromMs)
  device.lastArrivalMs = arrivalMs
  const cadenceMs = usualIntervalMs(device)
  if (isAnother(cadenceMs, device.toldCadenceMs)) change(presence, device)
  return device
}

function meet(presence: Presence, name: string, arrivalMs: number): Device {
  const device: Device = {
    ...{ name, hash: hashOf(name), lastArrivalMs: arrivalMs, occasionMs: arrivalMs, intervalsMs: [] },
    ...{ quiet: false, gap: undefined, toldCadenceMs: undefined, change: 0 },
  }
  presence.devices.set(name, device)
  change(presence, device)
  return device
}

function endSilence(presence: Presence, device: Device, arrivalMs: number): void {
  const { lastArrivalMs: fromMs, quiet } = device
  const cadenceMs = usualIntervalMs(device)
  if (cadenceMs === undefined || (!quiet && arrivalMs - fromMs < quietAfterMs(cadenceMs))) return
  const countedMs = Math.max(0, arrivalMs - Math.max(fromMs, presence.countFromMs))
  device.gap = { fromMs, untilMs: arrivalMs, countedMs, cadenceMs }
  device.quiet = false
  change(presence, device)
}

function isAnother(cadenceMs: number | undefined, told: number | undefined): boolean {
  if (cadenceMs === undefined || told === undefined) return cadenceMs !== told
  return Math.abs(cadenceMs - told) > CADENCE_STEP * told
}

function change(presence: Presence, device: Device): void {
  presence.changes += 1
  device.change = presence.changes
  device.toldCadenceMs = usualIntervalMs(device)
}

/** Finds out, at an arrival or when it looks, that the shard was away: it cannot tell who was silent meanwhile. */
function noteAbsence(presence: Presence, at: number): void {
  if (presence.dueMs === null || at <= presence.dueMs + AWAY_MS) return
  presence.countFromMs = Math.max(presence.countFromMs, at)
  presence.dueMs = null
}

/** When a device will have been silent for longer than usual; undefined: it is, or nothing is usual yet. */
function quietAt({ countFromMs }: Presence, device: Device): number | undefined {
  const cadenceMs = usualIntervalMs(device)
  if (device.quiet || cadenceMs === undefined) return undefined
  return Math.max(device.lastArrivalMs, countFromMs) + quietAfterMs(cadenceMs)
}

/**
 * Looks at all devices: marks those that have fallen silent, forgets those gone for long, and plans the next look.
 * Returns those that changed. O(devices).
 */
export function lookAround(presence: Presence, now: number): Device[] {
  noteAbsence(presence, now)
  const changed: Device[] = []
  for (const device of presence.devices.values()) {
    const at = quietAt(presence, device)
    if (at !== undefined && at <= now) {
      device.quiet = true
      change(presence, device)
      changed.push(device)
    }
  }
  changed.push(...forget(presence, now))
  presence.dueMs = nextLookAt(presence, now) ?? null
  return changed
}

function forget(presence: Presence, now: number): Device[] {
  const { devices } = presence
  const gone = [...devices.values()].filter(({ lastArrivalMs }) => now - lastArrivalMs > FORGET_AFTER_MS)
  if (devices.size - gone.length > MAX_DEVICES) {
    const byAge = [...devices.values()].sort((a, b) => a.lastArrivalMs - b.lastArrivalMs)
    gone.push(...byAge.slice(gone.length, devices.size - MAX_DEVICES))
  }
  for (const { name } of gone) devices.delete(name)
  return gone
}

/**
 * When to look next, after a look at `now`: when the next device will have fallen silent, and while any is, again and
 * again, less often the longer the shortest silence lasts: a hundred times in a month. undefined: never. O(devices).
 */
export function nextLookAt(presence: Presence, now: number): number | undefined {
  let next = Number.POSITIVE_INFINITY
  let lastHeardMs = Number.NEGATIVE_INFINITY
  for (const device of presence.devices.values()) {
    const at = quietAt(presence, device)
    if (at !== undefined) next = Math.min(next, at)
    else if (device.quiet) lastHeardMs = Math.max(lastHeardMs, device.lastArrivalMs)
  }
  // A whole millisecond: alarms know no parts of one, and would ring too early to find anything due.
  const confirmAt = Math.ceil(now + Math.max(CONFIRM_AFTER_MS, CONFIRM_SHARE * (now - lastHeardMs)))
  next = Math.min(next, Number.isFinite(confirmAt) ? confirmAt : next)
  return Number.isFinite(next) ? Math.max(next, now + LEAST_PAUSE_MS) : undefined
}

/** Devices that fall silent one after the other are looked at together. */
const LEAST_PAUSE_MS = 30_000
