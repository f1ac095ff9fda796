import type { LimitedReading } from './judge-window.ts'

/** One sentence with the figures that made a reading anomalous, for people. */
export function reasonOf({ view, value, centre, limit }: LimitedReading): string {
  switch (view) {
    case 'level':
    case 'hour':
      return levelReason(value, centre, limit, view === 'hour' ? ' at this hour' : '')
    case 'std':
      return `the values scatter by ${short(value)} within the window, usually by ${short(centre)}`
    case 'range':
      return `the values span ${short(value)} within the window, usually ${short(centre)}`
    case 'count':
      return `${short(value)} datapoints in the window, usually ${short(centre)}`
  }
}

function levelReason(value: number, centre: number, limit: number, when: string): string {
  const beyond = short(Math.abs(value - centre) - limit)
  const side = value < centre ? 'below' : 'above'
  return `${short(value)} is ${beyond} ${side} anything usual${when} (around ${short(centre)})`
}

/** At most four significant digits, without an exponent where that stays readable. */
function short(value: number): string {
  return String(Number(value.toPrecision(4)))
}
