import type { WindowFeatures } from '../../telemetry/window-features.ts'
import type { Baseline } from './baseline.ts'
import type { History } from './history.ts'
import type { LimitedReading } from './judge-window.ts'
import { runOf } from './standstill.ts'
import { SMOOTHED } from './views.ts'

/** Within-window values this much apart (as logarithms) stand equally still. */
const FLAT_SLACK = Math.log(1.5)

/** Why a window is anomalous, in sentences with figures, the strongest first. */
export function reasonsOf(baseline: Baseline, window: WindowFeatures, limited: LimitedReading[]): string[] {
  const anomalous = limited.filter(({ score }) => score >= 1).sort((a, b) => b.score - a.score)
  return [...new Set(anomalous.map((reading) => reasonOf(baseline, window, reading)))]
}

function reasonOf({ histories }: Baseline, window: WindowFeatures, reading: LimitedReading): string {
  const { view, value, limit, usual = { low: value, high: value } } = reading
  const when = (history: History) => ageOf(window.windowEnd - history.startAt(0)!)
  switch (view) {
    case 'level':
    case 'log':
      return unseen(short(window.median), value, histories.level, when(histories.level))
    case 'smooth': {
      const subject = `the mean of the last ${SMOOTHED} windows, ${short(value)},`
      return unseen(subject, value, histories.smooth, when(histories.smooth))
    }
    case 'hour':
      return `${short(value)} is unusual at this hour: usually ${short(usual.low - limit)} to ${short(usual.high + limit)}`
    case 'still':
      return `exactly ${short(window.median)} for ${ageOf(window.windowEnd - sinceWhen(histories.level, value))}, usually changes sooner`
    case 'std':
      return scatter(histories.std, window, value, when(histories.std))
    case 'range':
      return `the values span ${short(window.range)} within the window, ${bounds(histories.range, value, Math.exp)} in ${when(histories.range)}`
    case 'count':
      return `${window.count} datapoints in the window, ${bounds(histories.count, value, countOf)} in ${when(histories.count)}`
  }
}

function unseen(subject: string, value: number, history: History, age: string): string {
  const [least, most] = [history.sortedAt(0), history.sortedAt(history.known - 1)]
  if (value > most) return `${subject} is ${short(value - most)} above anything seen in ${age}`
  if (value < least) return `${subject} is ${short(least - value)} below anything seen in ${age}`
  const nearest = history.sortedAt(history.nearest(value)!)
  return `${subject} is ${short(Math.abs(value - nearest))} from anything seen in ${age}, nearest ${short(nearest)}`
}

function scatter(history: History, window: WindowFeatures, value: number, age: string): string {
  if (value < history.sortedAt(0)) {
    const usual = short(Math.exp(history.quantile(0.5)!))
    return `flat for ${ageOf(window.windowEnd - flatSince(history, window.windowStart, value))}, usually varies by ${usual}`
  }
  return `the values scatter by ${short(window.std)} within the window, ${bounds(history, value, Math.exp)} in ${age}`
}

/** Start of the first of the windows up to now that stood about as still as this one. */
function flatSince(history: History, windowStart: number, value: number): number {
  let since = windowStart
  for (let i = history.size - 1; i >= 0 && history.valueAt(i) <= value + FLAT_SLACK; i -= 1) {
    since = history.startAt(i)!
  }
  return since
}

/** Start of the first of the windows up to the newest known that had this median. */
function sinceWhen(level: History, value: number): number {
  const first = level.size - runOf(level, value) + 1
  return level.startAt(first)!
}

function bounds(history: History, value: number, from: (log: number) => number): string {
  const [least, most] = [history.sortedAt(0), history.sortedAt(history.known - 1)]
  if (value > most) return `never more than ${short(from(most))}`
  return value < least ? `never less than ${short(from(least))}` : `not seen before`
}

/** Histories hold logarithms, and those in steps: a number of datapoints is whole. */
const countOf = (log: number) => Math.round(Math.exp(log))

/** A span of time in its largest unit that says it well. */
function ageOf(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}

/** At most four significant digits, without an exponent where that stays readable. */
function short(value: number): string {
  return String(Number(value.toPrecision(4)))
}
