/** When the one alarm of an object must ring: at the earliest due time, at once where that is past; undefined: never. */
export function nextAlarm(dueTimes: (number | undefined)[], now: number): number | undefined {
  const due = dueTimes.filter((time) => time !== undefined)
  return due.length === 0 ? undefined : Math.max(now, Math.min(...due))
}
