import type { DemoState } from './demo-state.ts'
import type { Facts } from './examine.ts'

/** What is not (yet) as it must be, a sentence each; [] when the pipeline did all it should. */
export function missing(facts: Facts, sent: NonNullable<DemoState['sent']>): string[] {
  const { usage, stored, detections, delivered, undelivered, refused } = facts
  const faults: [boolean, string][] = [
    [
      usage.datapoints !== sent.datapoints,
      `usage counts ${usage.datapoints} of ${sent.datapoints} datapoints`,
    ],
    [
      stored.datapoints !== sent.datapoints,
      `${stored.datapoints} of ${sent.datapoints} datapoints are stored`,
    ],
    [stored.wrongWindows > 0, `${stored.wrongWindows} windows are missing or miscounted`],
    [
      stored.windowed + stored.open !== stored.datapoints,
      `the windows hold ${stored.windowed} of ${stored.datapoints - stored.open} datapoints`,
    ],
    [usage.duplicates === 0, 'no batch was recognised as a duplicate'],
    [
      stored.scoredWindows < stored.closedWindows || stored.closedWindows === 0,
      `${stored.scoredWindows} of ${stored.closedWindows} windows are scored`,
    ],
    [usage.windows_scored < stored.closedWindows, `usage counts ${usage.windows_scored} scored windows`],
    [!detections.some(({ found }) => found), 'no labelled failure was detected'],
    [delivered === 0, 'no alert has been delivered'],
    [undelivered > 0, `${undelivered} alerts wait to be delivered`],
    [refused > 0, `${refused} webhooks came without a valid signature`],
  ]
  return faults.filter(([holds]) => holds).map(([, sentence]) => sentence)
}

/** The result for the person at the terminal. */
export function summary(facts: Facts, sent: NonNullable<DemoState['sent']>): string[] {
  const { usage, stored, detections, anomalies, labelled, delivered } = facts
  return [
    `sent       ${sent.batches} batches, ${sent.datapoints + sent.rejected} datapoints; ${usage.duplicates} batches came again and counted once`,
    `accepted   ${sent.datapoints} datapoints (${sent.rejected} rejected: a clock stepped back, the later value counts)`,
    `stored     ${stored.datapoints} datapoints; usage says ${usage.datapoints}`,
    `windows    ${stored.closedWindows} closed, holding ${stored.windowed} datapoints; ${stored.open} datapoints are in windows still open`,
    `scored     ${stored.scoredWindows} windows, ${anomalies} anomalous, ${labelled} of them in a labelled failure`,
    ...detections.map(sentenceOf),
    `alerts     ${delivered} delivered, signatures verified`,
  ]
}

function sentenceOf({ device, metric, from, to, found }: Facts['detections'][number]): string {
  const label = `the failure of ${device} ${metric} labelled ${minute(from)} to ${minute(to)}`
  if (!found) return `missed     ${label}`
  return `detected   ${label} was detected at ${minute(Date.parse(found.windowEnd))}, score ${found.score.toFixed(2)}`
}

const minute = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
