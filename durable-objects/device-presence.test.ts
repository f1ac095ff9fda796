import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { usualIntervalMs } from './device-cadence.ts'
import { emptyPresence, hear, lookAround, nextLookAt, type Presence } from './device-presence.ts'
import { acknowledgeReport, giveUpReport, takeReport } from './presence-report.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const T0 = Date.UTC(2026, 0, 1)

/** A shard that has heard `names` every minute for ten, the last time at T0, and has told so. */
function heardUntilT0(...names: string[]): Presence {
  const presence = emptyPresence()
  for (let at = T0 - 10 * MINUTE; at <= T0; at += MINUTE) {
    for (const name of names) hear(presence, name, at)
    lookAround(presence, at)
  }
  if (names.length > 0) tell(presence, T0)
  return presence
}

/** Looks whenever it is due, as the alarm does. */
function lookUntil(presence: Presence, now: number): void {
  while (presence.dueMs !== null && presence.dueMs < now) lookAround(presence, presence.dueMs)
}

/** What the shard would tell that has been there all the time, acknowledged at once. */
function tell(presence: Presence, now: number) {
  lookUntil(presence, now)
  return tellBack(presence, now)
}

/** What it would tell, had it been away till now. */
function tellBack(presence: Presence, now: number) {
  lookAround(presence, now)
  const taken = takeReport(presence, now)!
  presence.underWay = { flush: 1, upTo: taken.upTo }
  acknowledgeReport(presence, 1)
  return taken.report
}

describe('a device', () => {
  it.each([
    ['is not silent before twice its cadence has gone by', 2 * MINUTE - 1, []],
    ['is then', 2 * MINUTE, [['d', true]]],
  ])('%s', (_, later, expected) => {
    const { asOfMs, devices } = tell(heardUntilT0('d'), T0 + later)
    expect(devices.map(({ name, quiet }) => [name, quiet])).toEqual(expected)
    expect(asOfMs).toBe(T0 + later)
  })

  it('is told of once when it falls silent and once when it is back, with the silence between', () => {
    const presence = heardUntilT0('d')
    expect(tell(presence, T0 + 3 * MINUTE).devices).toMatchObject([
      { quiet: true, lastArrivalMs: T0, cadenceMs: MINUTE },
    ])
    expect(tell(presence, T0 + 4 * MINUTE).devices).toEqual([])
    lookUntil(presence, T0 + 9 * MINUTE)
    hear(presence, 'd', T0 + 9 * MINUTE)
    const gap = { fromMs: T0, untilMs: T0 + 9 * MINUTE, countedMs: 9 * MINUTE, cadenceMs: MINUTE }
    expect(tell(presence, T0 + 9 * MINUTE).devices).toMatchObject([{ quiet: false, gap }])
    expect(tell(presence, T0 + 10 * MINUTE).devices).toEqual([])
  })

  it('whose silence began and ended between two looks is told of all the same', () => {
    const presence = heardUntilT0('d')
    hear(presence, 'd', T0 + 2 * MINUTE)
    expect(tell(presence, T0 + 2 * MINUTE).devices).toMatchObject([{ quiet: false, gap: { fromMs: T0 } }])
  })

  it('of which too little is known is never silent', () => {
    const presence = emptyPresence()
    hear(presence, 'd', T0)
    expect(tell(presence, T0 + 24 * HOUR).devices).toMatchObject([{ quiet: false, cadenceMs: null }])
    expect(presence.dueMs).toBeNull()
  })

  it('that is heard of late, or twice for one time, stays as it is', () => {
    const presence = heardUntilT0('d')
    expect(hear(presence, 'd', T0)).toBeUndefined()
    expect(hear(presence, 'd', T0 - 5 * MINUTE)).toBeUndefined()
    expect(presence.devices.get('d')?.lastArrivalMs).toBe(T0)
  })

  it('is forgotten after thirty days of silence, and not before', () => {
    const presence = heardUntilT0('d')
    for (let now: number | null = T0; now !== null && now <= T0 + 30 * 24 * HOUR; now = presence.dueMs)
      lookAround(presence, now)
    expect(presence.devices.size).toBe(1)
    lookAround(presence, T0 + 30 * 24 * HOUR + 1)
    expect([presence.devices.size, presence.dueMs]).toEqual([0, null])
  })
})

describe('a report', () => {
  it('names only devices whose state is news', () => {
    const presence = heardUntilT0('a', 'b')
    for (let at = T0 + MINUTE; at <= T0 + 5 * MINUTE; at += MINUTE) {
      lookUntil(presence, at)
      hear(presence, 'b', at)
    }
    expect(tell(presence, T0 + 5 * MINUTE).devices.map(({ name }) => name)).toEqual(['a'])
  })

  it('waits for the one before, and tells again what that one told if it is given up', () => {
    const presence = heardUntilT0('d')
    lookAround(presence, T0 + 3 * MINUTE)
    const first = takeReport(presence, T0 + 3 * MINUTE)!
    presence.underWay = { flush: 7, upTo: first.upTo }
    expect(takeReport(presence, T0 + 4 * MINUTE)).toBeUndefined()
    acknowledgeReport(presence, 6)
    expect(takeReport(presence, T0 + 4 * MINUTE)).toBeUndefined()
    giveUpReport(presence, 7)
    expect(takeReport(presence, T0 + 5 * MINUTE)?.report.devices).toEqual(first.report.devices)
  })

  it('of more devices than fit claims nothing of a time until the last of them is told', () => {
    const names = Array.from({ length: 4_000 }, (_, i) => `gateway-1/line-${i}/pump`)
    const presence = heardUntilT0()
    for (const name of names) hear(presence, name, T0)
    const first = tell(presence, T0 + MINUTE)
    const second = tell(presence, T0 + 2 * MINUTE)
    expect([first.asOfMs, second.asOfMs]).toEqual([null, T0 + 2 * MINUTE])
    expect([...first.devices, ...second.devices].map(({ name }) => name)).toEqual(names)
  })
})

describe('a shard', () => {
  it('that was away counts no silence before it is back, neither by an arrival nor by its own look', () => {
    for (const back of ['arrival', 'look'] as const) {
      const presence = heardUntilT0('a', 'b')
      const now = T0 + 5 * HOUR
      if (back === 'arrival') hear(presence, 'a', now)
      expect(tellBack(presence, now).devices.filter(({ quiet }) => quiet)).toEqual([])
      expect(presence.countFromMs).toBe(now)
      expect(tell(presence, now + 2 * MINUTE).devices).toContainEqual(
        expect.objectContaining({ name: 'b', quiet: true }),
      )
    }
  })

  it('that was away learns nothing of how often devices send from that time, and does not call it silence', () => {
    const away = heardUntilT0('d')
    hear(away, 'd', T0 + 5 * HOUR)
    expect(away.devices.get('d')).toMatchObject({ gap: { countedMs: 0 } })
    expect(Math.max(...away.devices.get('d')!.intervalsMs)).toBe(MINUTE)
  })

  it('whose devices are all silent confirms it less and less often: a hundred times in thirty days', () => {
    const presence = heardUntilT0('a', 'b')
    const looks: number[] = []
    for (let now = T0; presence.dueMs !== null && looks.length < 1000; now = presence.dueMs) {
      lookAround(presence, now)
      if (presence.dueMs !== null) looks.push(presence.dueMs - T0)
    }
    expect(looks.length).toBeLessThan(110)
    expect(looks.every(Number.isInteger), 'alarms ring at whole milliseconds').toBe(true)
    expect(looks.slice(0, 3)).toEqual([2 * MINUTE, 3 * MINUTE, 4 * MINUTE])
    for (const [i, at] of looks.entries()) {
      const step = at - (looks[i - 1] ?? 0)
      expect(step).toBeLessThanOrEqual(Math.max(2 * MINUTE, 0.1001 * at))
    }
  })

  it('is in no hurry where devices fall silent one after the other', () => {
    const presence = emptyPresence()
    for (let i = 0; i < 100; i += 1)
      for (let k = 0; k < 6; k += 1) hear(presence, `d${i}`, T0 + k * MINUTE + i)
    expect(nextLookAt(presence, T0 + 7 * MINUTE - 5)).toBe(T0 + 7 * MINUTE + 30_000 - 5)
  })
})

it('whatever arrives and is looked at when, reports add up to the truth: who is silent since when, and how often all send', () => {
  const step = fc.record({
    device: fc.integer({ min: 0, max: 3 }),
    afterMs: fc.oneof(fc.integer({ min: 0, max: 5 * MINUTE }), fc.constant(10_000), fc.constant(MINUTE)),
    look: fc.boolean(),
    lost: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
      const presence = emptyPresence()
      const known = new Map<string, { quiet: boolean; lastArrivalMs: number; cadenceMs: number | null }>()
      let now = T0
      const report = (acknowledged: boolean) => {
        lookAround(presence, now)
        const taken = takeReport(presence, now)
        if (taken === undefined) return
        presence.underWay = { flush: 1, upTo: taken.upTo }
        if (acknowledged) {
          for (const device of taken.report.devices) known.set(device.name, device)
          acknowledgeReport(presence, 1)
        } else giveUpReport(presence, 1)
      }
      for (const { device, afterMs, look, lost } of steps) {
        now += afterMs
        presence.dueMs = null // never away: it looks whenever it should
        hear(presence, `d${device}`, now)
        if (look) report(!lost)
      }
      presence.dueMs = null
      report(true)
      for (const device of presence.devices.values()) {
        const told = known.get(device.name)!
        const usual = usualIntervalMs(device)
        expect(told.quiet).toBe(
          usual !== undefined && now - device.lastArrivalMs >= Math.max(2 * usual, MINUTE),
        )
        if (told.quiet) expect(told.lastArrivalMs).toBe(device.lastArrivalMs)
        if (usual === undefined) expect(told.cadenceMs).toBeNull()
        else expect(Math.abs(told.cadenceMs! - usual)).toBeLessThanOrEqual(0.25 * told.cadenceMs!)
      }
    }),
    { numRuns: 300 },
  )
})
