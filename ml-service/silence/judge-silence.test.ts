import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  judgeSilence,
  type ShardView,
  type Silence,
  type SilenceCursor,
  type SilenceRule,
} from './judge-silence.ts'

const MINUTE = 60_000
const T0 = Date.UTC(2026, 0, 1)
const at = (minutes: number) => T0 + minutes * MINUTE

const RULE: SilenceRule = { intervals: 5, floorMs: MINUTE, armedAt: 0 }
const NEW: SilenceCursor = { lastSeenAt: Number.NEGATIVE_INFINITY, open: false }

interface View {
  silentSince?: number
  cadence?: number
  gap?: [from: number, until: number, counted?: number]
  asOf: number
  countFrom?: number
  /** Just now, unless it is said. */
  metAt?: number
}

/** All in minutes; the cadence is one unless it is said, 0: not known. */
const viewOf = ({ silentSince, cadence = 1, gap, asOf, countFrom, metAt = asOf }: View): ShardView => ({
  silentSince: silentSince === undefined ? undefined : at(silentSince),
  cadenceMs: cadence === 0 ? undefined : cadence * MINUTE,
  gap: gap && {
    from: at(gap[0]),
    until: at(gap[1]),
    countedMs: (gap[2] ?? gap[1] - gap[0]) * MINUTE,
    cadenceMs: cadence * MINUTE,
  },
  asOf: at(asOf),
  countFrom: countFrom === undefined ? 0 : at(countFrom),
  metAt: at(metAt),
})

interface Case {
  name: string
  rule?: Partial<SilenceRule>
  /** When the last silence told of began; `open` while it goes on. */
  told?: number
  open?: boolean
  views: View[]
  /** [began, too long at, ended] in minutes, as strings are read easily. */
  silence?: string
  oldNews?: string
  recovered?: number
}

const CASES: Case[] = [
  { name: 'a device that sends is not silent', views: [{ asOf: 60 }] },
  {
    name: 'one that another shard has just met is not: it may have changed its way',
    views: [
      { silentSince: 0, asOf: 719 },
      { cadence: 0, metAt: 0, asOf: 719 },
    ],
  },
  {
    name: 'but one of which a shard has not heard enough in half a day is, though that shard tells nothing any more',
    views: [
      { silentSince: 0, asOf: 720 },
      { cadence: 0, metAt: 0, asOf: 1 },
    ],
    silence: '0 5 -',
  },
  {
    name: 'and stays so',
    told: 0,
    open: true,
    views: [
      { silentSince: 0, asOf: 800 },
      { cadence: 0, metAt: 0, asOf: 1 },
    ],
  },
  {
    name: 'one that is silent for less than the rule allows is not',
    views: [{ silentSince: 0, asOf: 4.99 }],
  },
  { name: 'one is exactly then', views: [{ silentSince: 0, asOf: 5 }], silence: '0 5 -' },
  {
    name: 'the floor counts where the cadence is short',
    rule: { floorMs: 10 * MINUTE },
    views: [{ silentSince: 0, asOf: 9 }],
  },
  {
    name: 'and opens when it is over',
    rule: { floorMs: 10 * MINUTE },
    views: [{ silentSince: 0, asOf: 10 }],
    silence: '0 10 -',
  },
  {
    name: 'no more is judged than the shard has said, however late it is: what stores its word may be away',
    views: [{ silentSince: 0, asOf: 3 }],
  },
  {
    name: 'time in which the shard was away does not count',
    views: [{ silentSince: 0, asOf: 64, countFrom: 60 }],
  },
  {
    name: 'only what came after it',
    views: [{ silentSince: 0, asOf: 65, countFrom: 60 }],
    silence: '0 65 -',
  },
  {
    name: 'what was too long before the rule was armed is old news',
    rule: { armedAt: at(6) },
    views: [{ silentSince: 0, asOf: 60 }],
    oldNews: '0 5 -',
  },
  {
    name: 'what becomes too long after it was armed is not, though it began before',
    rule: { armedAt: at(4) },
    views: [{ silentSince: 0, asOf: 60 }],
    silence: '0 5 -',
  },
  {
    name: 'a silence that was told of is not told again',
    told: 0,
    open: true,
    views: [{ silentSince: 0, asOf: 600 }],
  },
  { name: 'also when it is settled already', told: 0, views: [{ silentSince: 0, asOf: 600 }] },
  {
    name: 'it ends with the next arrival',
    told: 0,
    open: true,
    views: [{ gap: [0, 30], asOf: 31 }],
    recovered: 30,
  },
  {
    name: 'it ends also where the shard was away meanwhile',
    told: 0,
    open: true,
    views: [{ gap: [0, 30, 0], asOf: 31, countFrom: 30 }],
    recovered: 30,
  },
  {
    name: 'the next silence is another',
    told: 0,
    open: true,
    views: [{ gap: [0, 30], silentSince: 40, asOf: 46 }],
    silence: '40 45 -',
    recovered: 30,
  },
  {
    name: 'one that began and ended unseen is told of with its end',
    views: [{ gap: [0, 30], asOf: 100 }],
    silence: '0 5 30',
  },
  { name: 'unless it was short', views: [{ gap: [0, 4], asOf: 100 }] },
  { name: 'or we were away', views: [{ gap: [0, 30, 4], asOf: 100 }] },
  {
    name: 'of two that are new the first is told first',
    views: [{ gap: [0, 30], silentSince: 40, asOf: 100 }],
    silence: '0 5 30',
  },
  {
    name: 'and then the second',
    told: 0,
    views: [{ gap: [0, 30], silentSince: 40, asOf: 100 }],
    silence: '40 45 -',
  },
  {
    name: 'a cadence that is not known makes no silence',
    views: [{ silentSince: 0, cadence: 0, asOf: 600 }],
  },
  {
    name: 'silence is judged after thirty days, whatever the cadence',
    views: [{ silentSince: 0, cadence: 14 * 1440, asOf: 30 * 1440 }],
    silence: `0 ${30 * 1440} -`,
  },
  {
    name: 'a device that one of its shards hears is not silent',
    views: [{ silentSince: 0, asOf: 60 }, { asOf: 60 }],
  },
  {
    name: 'it is silent from when the last of them heard it',
    views: [
      { silentSince: 0, asOf: 60 },
      { silentSince: 2, asOf: 60 },
    ],
    silence: '2 7 -',
  },
  {
    name: 'as far as the word of all of them goes',
    views: [
      { silentSince: 0, asOf: 6 },
      { silentSince: 2, asOf: 60 },
    ],
  },
  {
    name: 'but for one that has not heard it for far longer, and confirms that seldom',
    views: [
      { silentSince: 0, asOf: 90 },
      { silentSince: 100, asOf: 106 },
    ],
    silence: '100 105 -',
  },
  {
    name: 'silence is what is silent in all of them at once',
    views: [
      { silentSince: 0, asOf: 90 },
      { gap: [50, 80], asOf: 90 },
    ],
    silence: '50 55 80',
  },
  {
    name: 'a shard that meets the device ends its silence in another',
    told: 0,
    open: true,
    views: [{ silentSince: 0, asOf: 90 }, { asOf: 95 }],
    recovered: 95,
  },
  { name: 'of a device that no shard has said anything of, nothing is known', views: [] },
]

const inMinutes = (ms: number | undefined) => (ms === undefined ? '-' : String((ms - T0) / MINUTE))

describe('judgeSilence()', () => {
  it.each(CASES)('$name', ({ rule, told, open = false, views, silence, oldNews, recovered }) => {
    const cursor = told === undefined ? NEW : { lastSeenAt: at(told), open }
    const verdict = judgeSilence({ ...RULE, ...rule }, views.map(viewOf), cursor)
    const text = (found: Silence | undefined) =>
      found && [found.lastSeenAt, found.silentAt, found.until].map(inMinutes).join(' ')
    const recoveredAt = recovered === undefined ? undefined : at(recovered)
    expect([text(verdict.silence), text(verdict.oldNews), verdict.recoveredAt]).toEqual([
      ...[silence, oldNews, recoveredAt],
    ])
  })
})

it('whenever the judge looks, each silence that is too long is told once, and its end once', () => {
  const intervals = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(intervals, fc.array(fc.nat(7)), (gaps, pauses) => {
      const told: number[] = []
      const ended: number[] = []
      let cursor = NEW
      let minute = 0
      let before: View['gap']
      const look = (view: View) => {
        for (let i = 0; i < 3; i += 1) {
          const { silence, recoveredAt } = judgeSilence(RULE, [viewOf(view)], cursor)
          if (recoveredAt !== undefined) {
            ended.push(recoveredAt)
            cursor = { ...cursor, open: false }
          }
          if (silence === undefined) continue
          told.push(silence.lastSeenAt)
          if (silence.until !== undefined) ended.push(silence.until)
          cursor = { lastSeenAt: silence.lastSeenAt, open: silence.until === undefined }
        }
      }
      for (const [i, gap] of gaps.entries()) {
        // Of the minutes in between some are looked at, of the end always one: a shard keeps one silence that is over.
        for (
          let silent = 1;
          silent < gap;
          silent += 1 + (pauses[(i + silent) % Math.max(1, pauses.length)] ?? 0)
        ) {
          look({
            asOf: minute + silent,
            ...(silent >= 2 && { silentSince: minute }),
            ...(before && { gap: before }),
          })
        }
        if (gap >= 2) before = [minute, minute + gap]
        minute += gap
        look({ asOf: minute, ...(before && { gap: before }) })
      }
      const starts = gaps.map((_, i) => gaps.slice(0, i).reduce((sum, gap) => sum + gap, 0))
      const tooLong = gaps.flatMap((gap, i) => (gap >= 5 ? [i] : []))
      expect(told).toEqual(tooLong.map((i) => at(starts[i]!)))
      expect(ended).toEqual(tooLong.map((i) => at(starts[i]! + gaps[i]!)))
    }),
    { numRuns: 300 },
  )
})
