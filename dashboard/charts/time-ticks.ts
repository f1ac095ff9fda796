import type UPlot from 'uplot'

const DAY_SECONDS = 86_400
const timeFormat = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' })
const dayFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })

/** Times of day in the reader's own form; a day's first tick, and coarse ticks, name the day. */
export const timeTicks: UPlot.Axis.DynamicValues = (_plot, splits, _axis, _space, stepSeconds) =>
  splits.map((seconds) => {
    const date = new Date(seconds * 1000)
    const midnight = date.getHours() === 0 && date.getMinutes() === 0
    return (midnight || stepSeconds >= DAY_SECONDS ? dayFormat : timeFormat).format(date)
  })
