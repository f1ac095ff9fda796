// `npm run bench:patterns [-- --runs N]`: regular patterns with normal noise, in which nothing is anomalous, and how often
// the detection says otherwise.
import { parseArgs } from 'node:util'
import {
  type Course,
  DAY,
  HOUR,
  sampled,
  shifted,
  WEEK,
  walkPattern,
  wave,
  working,
} from '../../ml-service/testing/patterns.ts'

interface Case {
  name: string
  course: Course
  noise: number
  /** The windows that count. */
  from: number
  to: number
}

const SUNDAY = 13 * DAY + 2 * HOUR

const CASES: Case[] = [
  ...[0.1, 0.5, 1, 2].map((noise) => ({
    name: 'fourth day',
    course: wave,
    noise,
    from: 3 * DAY,
    to: 4 * DAY,
  })),
  { name: 'fourth week', course: working, noise: 0.5, from: 3 * WEEK, to: 4 * WEEK },
  ...[HOUR, -HOUR].flatMap((shift) =>
    [wave, working].map((course) => ({
      name: `${course === wave ? 'day' : 'working days'}, an hour ${shift > 0 ? 'on' : 'back'}`,
      ...{ course: shifted(course, SUNDAY, shift), noise: 0.5, from: SUNDAY, to: 16 * DAY },
    })),
  ),
  { name: 'plain noise, second to fourth week', course: () => 50, noise: 1, from: WEEK, to: 4 * WEEK },
]

function alarmsOf({ course, noise, from, to }: Case, count: number, runs: number) {
  let [alarmed, windows] = [0, 0]
  for (let seed = 1; seed <= runs; seed += 1) {
    const verdicts = walkPattern({ pattern: sampled(course, count, noise), to, seed: 7919 * seed }).slice(
      from,
    )
    const alarms = verdicts.filter(({ score }) => score >= 1).length
    if (alarms > 0) alarmed += 1
    windows += alarms
  }
  return { alarmed, perWeek: windows / ((runs * (to - from)) / WEEK) }
}

const { values } = parseArgs({ options: { runs: { type: 'string', default: '40' } } })
const runs = Number(values.runs)
if (!Number.isInteger(runs) || runs < 1)
  throw new Error('Give a whole number of runs: npm run bench:patterns -- --runs 40')
console.log(`${''.padEnd(36)}noise  values a window  runs with an alarm  windows a week`)
for (const one of CASES) {
  for (const count of [1, 5]) {
    const { alarmed, perWeek } = alarmsOf(one, count, runs)
    const figures = `${String(count).padStart(15)}${`${alarmed} of ${runs}`.padStart(20)}${perWeek.toFixed(2).padStart(16)}`
    console.log(`${one.name.padEnd(36)}${String(one.noise).padStart(5)}  ${figures}`)
  }
}
