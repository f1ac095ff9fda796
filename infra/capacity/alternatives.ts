import { flowOf, type Load, MONTH_S } from './capacity-model.ts'

/**
 * What two managed services ask for taking and keeping the same datapoints, without queries and without anomaly
 * detection. Public list prices at the time of the source; check them before you rely on them.
 */
export interface Alternative {
  name: string
  source: string
  dollars(load: Load): number
}

const GB = 1e9
const MONTH_H = MONTH_S / 3600

/** A line of line protocol for one value, and what is kept of it after compression. */
const LINE_BYTES = 60
const KEPT_BYTES = 4

export const ALTERNATIVES: Alternative[] = [
  {
    name: 'InfluxDB Cloud, usage-based',
    source: 'influxdata.com/blog/using-the-new-flux-usage-api-to-calculate-pricing-for-influxdb-cloud (2021)',
    dollars: (load) => {
      const { datapoints } = flowOf(load)
      const writtenMb = (datapoints * MONTH_S * LINE_BYTES) / 1e6
      const keptGb = (datapoints * load.retentionDays * 86_400 * KEPT_BYTES) / GB
      return writtenMb * 0.002 + keptGb * MONTH_H * 0.002
    },
  },
  {
    name: 'Amazon Timestream for LiveAnalytics',
    source:
      'aws.amazon.com/timestream/pricing as archived in 2020: $0.50 a million writes of 1 kB, $0.036 a GB-h in memory',
    dollars: (load) => {
      const { datapoints } = flowOf(load)
      const bytes = datapoints * LINE_BYTES // batched: repeated dimensions are charged once a write
      const writes = (bytes * MONTH_S) / 1024
      const memoryGb = (bytes * 86_400) / GB // one day in memory, the rest on disk
      const diskGb = (bytes * 86_400 * load.retentionDays) / GB
      return (writes / 1e6) * 0.5 + memoryGb * MONTH_H * 0.036 + diskGb * 0.03
    },
  },
]
