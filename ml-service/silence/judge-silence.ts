/** When a device has been silent for too long. */
export interface SilenceRule {
  /** Times its usual cadence; at least two. */
  intervals: number
  /** And never less than this. */
  floorMs: number
  /** Created or last enabled: who had been silent for too long by then is old news. */
  armedAt: number
}

/** What one shard last said of a device, and how far its word goes; instants are arrivals, epoch ms. */
export interface ShardView {
  /** Its last arrival, once nothing has come for longer than usual; undefined: it sends. */
  silentSince: number | undefined
  cadenceMs: number | undefined
  /** Its last silence that is over. */
  gap: { from: number; until: number; countedMs: number; cadenceMs: number } | undefined
  asOf: number
  /** Silence before this does not count. */
  countFrom: number
  /** When it was first told of, a little after its first arrival. */
  metAt: number
}

/** The last silence of the device that the rule has told of. */
export interface SilenceCursor {
  /** The arrival it began with; -Infinity: there was none. */
  lastSeenAt: number
  open: boolean
}

/** A silence that is too long. */
export interface Silence {
  lastSeenAt: number
  /** When it had become too long. */
  silentAt: number
  cadenceMs: number
  /** The arrival that ended it; undefined: it goes on. */
  until: number | undefined
}

export interface SilenceVerdict {
  /** When the silence of the cursor ended; undefined: it goes on, or there is none. */
  recoveredAt: number | undefined
  /** A silence that the rule has not told of. */
  silence: Silence | undefined
  /** The same, but it had become too long before the rule was armed: nobody is to hear of it. */
  oldNews: Silence | undefined
}

/** What is silent for longer counts as silent whatever its cadence: shards remember a device for as long. */
export const LONGEST_SILENCE_MS = 30 * 86_400_000

/** A shard that has not learned a device's cadence by then is not its way: a few batches strayed there. */
const LEARNING_MS = 12 * 3_600_000

/** Its own word may be old: who hears nothing tells nothing. */
function waysOf(views: ShardView[]): ShardView[] {
  const newest = Math.max(...views.map(({ asOf }) => asOf))
  return views.filter(
    ({ silentSince, cadenceMs, gap, metAt }) =>
      silentSince !== undefined ||
      cadenceMs !== undefined ||
      gap !== undefined ||
      newest - metAt < LEARNING_MS,
  )
}

/**
 * Judges one device by what its shards say: only a time in which none of them heard it is silence, and only up to
 * where their word goes. Each silence is told once: it is known by the arrival it began with, and they only get later.
 */
export function judgeSilence(
  rule: SilenceRule,
  allViews: ShardView[],
  { lastSeenAt, open }: SilenceCursor,
): SilenceVerdict {
  const views = waysOf(allViews)
  const recoveredAt = open ? nextArrival(views, lastSeenAt) : undefined
  const goesOn = open && recoveredAt === undefined
  const next = goesOn ? undefined : firstAfter(lastSeenAt, rule, views)
  const isOld = next !== undefined && next.silentAt < rule.armedAt
  return { recoveredAt, silence: isOld ? undefined : next, oldNews: isOld ? next : undefined }
}

/** The first arrival after `lastSeenAt` that any shard knows of; undefined: none does. */
function nextArrival(views: ShardView[], lastSeenAt: number): number | undefined {
  const arrivals = views.flatMap(({ silentSince, gap, asOf }) => {
    const known = [gap?.from, gap?.until, silentSince].filter((at) => at !== undefined)
    const after = known.filter((at) => at > lastSeenAt)
    // A shard that met the device in the meantime knows of no silence before.
    return after.length === 0 && silentSince === undefined ? [Math.max(asOf, lastSeenAt + 1)] : after
  })
  return arrivals.length === 0 ? undefined : Math.min(...arrivals)
}

/** The device's silences are told one by one. */
const firstAfter = (lastSeenAt: number, rule: SilenceRule, views: ShardView[]) =>
  commonQuiets(views)
    .flatMap((quiets) => tooLong(rule, quiets) ?? [])
    .filter((silence) => silence.lastSeenAt > lastSeenAt)
    .sort((a, b) => a.lastSeenAt - b.lastSeenAt)[0]

/** A time in which a shard heard nothing of the device. */
interface Quiet {
  from: number
  until: number
  /** The part of it that counts. */
  countFrom: number
  countUntil: number
  cadenceMs: number
}

function quietsOf({ silentSince, cadenceMs, gap, asOf, countFrom }: ShardView): Quiet[] {
  const quiets: Quiet[] = []
  if (gap) quiets.push({ ...gap, countFrom: gap.until - gap.countedMs, countUntil: gap.until })
  if (silentSince !== undefined && cadenceMs !== undefined) {
    const until = Number.POSITIVE_INFINITY
    quiets.push({
      from: silentSince,
      until,
      countFrom: Math.max(silentSince, countFrom),
      countUntil: asOf,
      cadenceMs,
    })
  }
  return quiets
}

/** Times in which no shard heard it, each as the quiets of all shards that make it. At most two a shard. */
function commonQuiets(views: ShardView[]): Quiet[][] {
  let common: Quiet[][] = [[]]
  for (const view of views) {
    const quiets = quietsOf(view)
    common = common.flatMap((some) =>
      quiets.map((quiet) => [...some, quiet]).filter((all) => fromOf(all) < untilOf(all)),
    )
  }
  return views.length === 0 ? [] : common
}

const fromOf = (quiets: Quiet[]) => Math.max(...quiets.map(({ from }) => from))
const untilOf = (quiets: Quiet[]) => Math.min(...quiets.map(({ until }) => until))

function tooLong({ intervals, floorMs }: SilenceRule, quiets: Quiet[]): Silence | undefined {
  const [from, until] = [fromOf(quiets), untilOf(quiets)]
  const cadenceMs = Math.min(...quiets.map((quiet) => quiet.cadenceMs))
  const limitMs = Math.min(Math.max(intervals * cadenceMs, floorMs), LONGEST_SILENCE_MS)
  // A shard that has not heard it for far longer is no longer its way: that one's word may be older.
  const concerned = quiets.filter((quiet) => quiet.from >= from - limitMs)
  const countUntil = Math.min(until, ...concerned.map((quiet) => quiet.countUntil))
  const silentAt = Math.max(from, ...concerned.map((quiet) => quiet.countFrom)) + limitMs
  if (countUntil < silentAt) return undefined
  return { lastSeenAt: from, silentAt, cadenceMs, until: Number.isFinite(until) ? until : undefined }
}
