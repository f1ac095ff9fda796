import { describe, expect, it } from 'vitest'
import { costsOf, flowOf, type Load, limitsOf, quantitiesOf } from './capacity-model.ts'
import { simulateScoring } from './simulate-scoring.ts'

/** 1,000 devices of 5 metrics, one datapoint in 10 s each. */
const load: Load = {
  ...{ devices: 1_000, metricsADevice: 5, rate: 0.1, batch: 100, wireBytes: 8, retentionDays: 30, shards: 1 },
  logSampleRate: 1,
}

describe('the model', () => {
  it('counts what flows in a second', () => {
    const { datapoints, batches, windows } = flowOf(load)
    expect({ datapoints, batches, windows }).toEqual({ datapoints: 500, batches: 5, windows: 5000 / 300 })
  })

  it('has no more windows than datapoints where these come seldom', () => {
    expect(flowOf({ ...load, rate: 1 / 3600 }).windows).toBeCloseTo(5000 / 3600, 12)
  })

  it('comes to what a calculation by hand does', () => {
    const quantities = quantitiesOf(load)
    expect(quantities.rowsWritten).toBe(5 * 7.5 * 2_592_000)
    expect(quantities.archiveWrites).toBe(5 * 2_592_000)
    expect(quantities.logLines).toBeCloseTo((2 * 5 + 1 / 15) * 2_592_000, 3)
    expect(quantitiesOf({ ...load, logSampleRate: 0.1 }).logLines).toBeCloseTo((1 + 1 / 15) * 2_592_000, 3)
    expect(quantities.measurements).toBeGreaterThan(5 * 2_592_000)
    expect(quantities.archiveGb).toBeCloseTo(10.368, 9) // 500 × 8 B × 2,592,000 s
    expect(quantities.objectGbSeconds).toBeCloseTo(331_776, 6)
    const rows = costsOf(load).find(({ item }) => item === 'rowsWritten')
    expect(rows?.dollars).toBeCloseTo(97.2 - 50, 9) // 50 million are included
  })

  it('costs nothing below what is included, and never less than nothing', () => {
    for (const { item, dollars } of costsOf({ ...load, devices: 1, rate: 0.01 })) {
      expect(dollars, item).toBeGreaterThanOrEqual(0)
      if (item === 'requests') expect(dollars).toBe(0)
    }
  })

  it('shares batches among shards', () => {
    const [alone, shared] = [1, 4].map((shards) => limitsOf({ ...load, shards })[0]?.taken ?? 0)
    expect(alone).toBeCloseTo(5 / 200, 12)
    expect(shared).toBeCloseTo(alone! / 4, 12)
  })
})

describe('the queue of scoring, in virtual time', () => {
  const simulated = { seriesATenant: 5_000, workers: 1, chunk: 100, windowsASecond: 2_000, hours: 6 }

  it.each([1, 10, 100])('keeps up with %i tenants on as many workers as their windows need', (tenants) => {
    const workers = Math.ceil((tenants * simulated.seriesATenant) / 300 / simulated.windowsASecond / 0.8)
    const { firstHour, lastHour } = simulateScoring({ ...simulated, tenants, workers })
    expect(lastHour).toBeCloseTo(firstHour, 6)
    expect(lastHour).toBeLessThanOrEqual(simulated.seriesATenant / simulated.windowsASecond + 1)
  })

  it('falls behind, and shows it, on fewer', () => {
    const { firstHour, lastHour } = simulateScoring({ ...simulated, tenants: 300, workers: 2 })
    expect(lastHour).toBeGreaterThan(firstHour + 1_000)
  })
})
