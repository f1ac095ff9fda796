import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { windowStartOf } from '../../telemetry/window.ts'

const DATA = new URL('../demo-data/', import.meta.url)

const seriesSchema = v.array(
  v.object({
    file: v.string(),
    device: v.string(),
    metric: v.string(),
    source: v.string(),
    labels: v.array(v.tuple([v.string(), v.string()])),
  }),
)

export interface DemoSeries {
  device: string
  metric: string
  /** The gateway that sends it. */
  source: string
  /** `[ts, value]` in the order of the file, which is not quite that of time. */
  points: [number, number][]
  /** Labelled failures, both ends inclusive. */
  labels: { from: number; to: number }[]
}

/**
 * The bundled series, moved in time so that each ends in the 300 s window before `anchor` (a multiple of 300 s).
 * All points of a series move alike, by whole windows; the same anchor gives the same points.
 */
export function readDemoSeries(anchor: number): DemoSeries[] {
  const described = v.parse(seriesSchema, JSON.parse(readFileSync(new URL('series.json', DATA), 'utf8')))
  return described.map(({ file, device, metric, source, labels }) => {
    const points = readPoints(file)
    const last = points.reduce((latest, [ts]) => Math.max(latest, ts), 0)
    const shift = anchor - windowStartOf(last)
    return {
      device,
      metric,
      source,
      points: points.map(([ts, value]) => [ts + shift, value]),
      labels: labels.map(([from, to]) => ({ from: parseUtc(from) + shift, to: parseUtc(to) + shift })),
    }
  })
}

function readPoints(file: string): [number, number][] {
  const [, ...rows] = readFileSync(new URL(file, DATA), 'utf8').trimEnd().split('\n')
  return rows.map((row) => {
    const [timestamp = '', value = ''] = row.split(',')
    return [parseUtc(timestamp), Number(value)]
  })
}

/** `2014-02-09 14:05:00`, which is UTC. */
const parseUtc = (text: string) => Date.parse(`${text.replace(' ', 'T')}Z`)
