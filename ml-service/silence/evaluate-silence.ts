import type { Database } from '../database.ts'
import { derivedId } from '../derived-id.ts'
import { enqueueDeliveries } from '../webhooks/enqueue-deliveries.ts'
import { judgeSilence, type Silence, type SilenceVerdict } from './judge-silence.ts'
import { recoveryReasons, silenceMessage, silenceReasons } from './silence-message.ts'
import {
  countOpen,
  type EventDevice,
  insertSilence,
  lockSilenceRules,
  markJudged,
  moveCursors,
  recoverDevices,
  type SilenceEvent,
  type StoredSilenceRule,
  selectSaid,
  selectWatched,
  type Watched,
} from './silence-sql.ts'

/** Devices that fall silent, or come back, within this time are told of together. */
const TOGETHER_MS = 60_000

/** How many devices were told of. */
export interface SilenceTally {
  silent: number
  recovered: number
}

interface Judged extends SilenceVerdict {
  watched: Watched
}

/**
 * Judges the devices of one tenant by its silence rules, in the caller's transaction, which locks the rules: events,
 * messages and how far they came stand or fall together.
 */
export async function evaluateSilence(db: Database, tenantId: string, now: number): Promise<SilenceTally> {
  const tally: SilenceTally = { silent: 0, recovered: 0 }
  const rules = await lockSilenceRules(db, tenantId)
  if (rules.length === 0) return tally
  const said = await selectSaid(db, tenantId)
  const byRule = Map.groupBy(await selectWatched(db, tenantId), ({ ruleId }) => ruleId)
  for (const rule of rules) {
    let watched = byRule.get(rule.id) ?? []
    while (watched.length > 0) {
      const judged = watched.map((each): Judged => {
        return { watched: each, ...judgeSilence(rule, each.views, each.cursor) }
      })
      tally.recovered += await tellRecovered(db, tenantId, rule, judged, now)
      for (const group of groupsOf(rule, judged, now)) {
        await tellSilent(db, tenantId, rule, group, now)
        tally.silent += group.length
      }
      await passOver(db, tenantId, rule.id, judged)
      watched = judged.flatMap(afterwards)
    }
  }
  await markJudged(db, tenantId, said)
  return tally
}

/** What a silence leaves to look at that is over, or old news: there may be another one after it. */
function afterwards({ watched, silence, oldNews }: Judged): Watched[] {
  const done = silence?.until === undefined ? oldNews : silence
  if (done === undefined) return []
  return [{ ...watched, openEventId: null, cursor: { lastSeenAt: done.lastSeenAt, open: false } }]
}

/** What is old news is not looked at again and again. */
async function passOver(db: Database, tenantId: string, ruleId: string, judged: Judged[]): Promise<void> {
  const old = judged.flatMap(({ watched: { deviceId }, oldNews }) =>
    oldNews === undefined ? [] : [{ deviceId, lastSeenAt: oldNews.lastSeenAt }],
  )
  if (old.length > 0) await moveCursors(db, tenantId, ruleId, old, null)
}

/**
 * Devices to tell of, in one event: as soon as one has been silent for long enough that others of the same outage would
 * have shown. Those of long ago, of which nobody is told, apart.
 */
function groupsOf({ maxAgeMs }: StoredSilenceRule, judged: Judged[], now: number): Fallen[][] {
  const fallen = judged.flatMap(({ watched, silence }) =>
    silence === undefined ? [] : [{ watched, silence }],
  )
  const ready = fallen.some(
    ({ silence }) => silence.until !== undefined || silence.silentAt + TOGETHER_MS <= now,
  )
  if (!ready) return []
  const [recent, old] = [fallen.filter(isRecent), fallen.filter((one) => !isRecent(one))]
  return [recent, old].filter((group) => group.length > 0)

  function isRecent({ silence }: Fallen): boolean {
    return silence.silentAt >= now - maxAgeMs
  }
}

interface Fallen {
  watched: Watched
  silence: Silence
}

async function tellSilent(
  db: Database,
  tenantId: string,
  rule: StoredSilenceRule,
  group: Fallen[],
  now: number,
): Promise<void> {
  const devices = group.map(({ watched: { deviceId, device }, silence }): EventDevice => {
    const { lastSeenAt, silentAt, cadenceMs } = silence
    return { deviceId, device, lastSeenAt, silentAt, cadenceMs, recoveredAt: null }
  })
  const [first] = devices
  const id = derivedId('silence', rule.id, first!.deviceId, first!.lastSeenAt)
  const openedAt = Math.min(...devices.map(({ silentAt }) => silentAt))
  const event: SilenceEvent = {
    ...{ id, ruleId: rule.id, state: 'open', openedAt, resolvedAt: null, resolvedReason: null },
    ...{ acknowledgedAt: null, acknowledgementNote: null, deviceCount: devices.length, sequence: 1 },
    announced: openedAt >= now - rule.maxAgeMs,
  }
  const reasons = silenceReasons(devices)
  await insertSilence(db, tenantId, event, devices, reasons)
  await tell(db, tenantId, event, devices, { silentCount: devices.length, reasons }, now)
  const over = group.flatMap(({ watched: { deviceId }, silence: { until } }) =>
    until === undefined ? [] : [{ deviceId, recoveredAt: until }],
  )
  if (over.length > 0) await recover(db, tenantId, { ruleId: rule.id, eventId: id }, over, now)
}

/** Returns how many devices. Those of one event wait a while for each other, unless they are all or silent again. */
async function tellRecovered(
  db: Database,
  tenantId: string,
  { id: ruleId }: StoredSilenceRule,
  judged: Judged[],
  now: number,
): Promise<number> {
  const back = judged.filter(({ recoveredAt }) => recoveredAt !== undefined)
  if (back.length === 0) return 0
  const openCounts = await countOpen(db, tenantId, ruleId)
  let told = 0
  for (const [eventId, ofEvent] of Map.groupBy(back, ({ watched }) => watched.openEventId!)) {
    const all = ofEvent.length === openCounts.get(eventId)
    if (
      !all &&
      !ofEvent.some(
        ({ recoveredAt, silence, oldNews }) => silence || oldNews || recoveredAt! + TOGETHER_MS <= now,
      )
    )
      continue
    const devices = ofEvent.map(({ watched: { deviceId }, recoveredAt }) => ({
      deviceId,
      recoveredAt: recoveredAt!,
    }))
    await recover(db, tenantId, { ruleId, eventId }, devices, now)
    told += devices.length
  }
  return told
}

async function recover(
  db: Database,
  tenantId: string,
  of: { ruleId: string; eventId: string },
  devices: { deviceId: string; recoveredAt: number }[],
  now: number,
): Promise<void> {
  const done = await recoverDevices(db, tenantId, of, devices)
  if (done === undefined) return
  const { event, stillSilent, recovered } = done
  const told = { silentCount: stillSilent, reasons: recoveryReasons(recovered) }
  await tell(db, tenantId, event, recovered, told, now)
}

async function tell(
  db: Database,
  tenantId: string,
  event: SilenceEvent,
  devices: EventDevice[],
  told: { silentCount: number; reasons: string[] },
  now: number,
): Promise<void> {
  if (event.announced) await enqueueDeliveries(db, tenantId, silenceMessage(event, devices, told), now)
}
