import { gunzipSync } from 'node:zlib'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { WINDOW_MS } from '../../telemetry/window.ts'
import { type DemoBatch, demoBatches } from './demo-batches.ts'
import { readDemoSeries } from './demo-series.ts'

const ANCHOR = Date.UTC(2026, 0, 1)
const series = readDemoSeries(ANCHOR)
const gateways = demoBatches(series, ANCHOR)

const bodySchema = v.object({
  batch_id: v.string(),
  source: v.string(),
  series: v.optional(
    v.array(v.object({ device: v.string(), points: v.array(v.tuple([v.number(), v.number()])) })),
  ),
  datapoints: v.optional(v.array(v.object({ device: v.string(), ts: v.string() }))),
})

function decode({ body }: DemoBatch) {
  return v.parse(bodySchema, JSON.parse(typeof body === 'string' ? body : gunzipSync(body).toString()))
}

describe('readDemoSeries()', () => {
  it('ends every series in the window at the anchor, and its last labelled failure with it', () => {
    for (const { points, labels } of series) {
      const last = Math.max(...points.map(([ts]) => ts))
      expect(Math.floor(last / WINDOW_MS) * WINDOW_MS).toBe(ANCHOR)
      expect(ANCHOR + WINDOW_MS - labels.at(-1)!.to).toBeLessThanOrEqual(2 * WINDOW_MS)
    }
  })

  it('holds finite values only', () => {
    expect(series.every(({ points }) => points.every((point) => point.every(Number.isFinite)))).toBe(true)
  })
})

describe('demoBatches()', () => {
  it('sends the same bytes every time', () => {
    expect(demoBatches(readDemoSeries(ANCHOR), ANCHOR)).toEqual(gateways)
  })

  it('sends every point of the files once, and counts them', () => {
    const batches = gateways.flat()
    const total = series.reduce((sum, { points }) => sum + points.length, 0)
    expect(batches.reduce((sum, { datapoints }) => sum + datapoints, 0)).toBe(total)
    for (const batch of batches) {
      const { series: grouped = [], datapoints = [] } = decode(batch)
      const held = grouped.reduce((sum, { points }) => sum + points.length, datapoints.length)
      expect(held).toBe(batch.datapoints)
    }
    expect(new Set(batches.map(({ id }) => id)).size).toBe(batches.length)
  })

  it('uses what gateways use: both shapes, compression, repeats, and late buffers sent backwards', () => {
    const batches = gateways.flat()
    expect(batches.some((batch) => decode(batch).datapoints)).toBe(true)
    expect(batches.some(({ headers }) => headers['content-encoding'] === 'gzip')).toBe(true)
    expect(batches.filter(({ twice }) => twice).length).toBeGreaterThan(5)
    for (const gateway of gateways) {
      const starts = gateway
        .map((batch) => decode(batch).series?.[0]?.points.at(-1)?.[0] ?? 0)
        .filter(Boolean)
      expect(starts).not.toEqual(starts.toSorted((a, b) => a - b))
    }
  })
})
