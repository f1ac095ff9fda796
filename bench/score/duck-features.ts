import { BIGINT, DOUBLE, DuckDBDataChunk, DuckDBInstance, INTEGER } from '@duckdb/node-api'
import * as v from 'valibot'
import { WINDOW_MS } from '../../telemetry/window.ts'

/** Rows of a chunk, as many as DuckDB takes. */
const CHUNK = 2048

/** Datapoints by series and time, as a read from Postgres brings them. */
export interface Datapoints {
  series: Int32Array
  ts: Float64Array
  values: Float64Array
}

const featuresSchema = v.object({
  series: v.number(),
  window_start: v.number(),
  count: v.number(),
  mean: v.number(),
  std: v.number(),
  median: v.number(),
  mad: v.number(),
  min: v.number(),
  max: v.number(),
  range: v.number(),
})
export type DuckWindow = v.InferOutput<typeof featuresSchema>

/** DuckDB, in memory and on one thread, with the datapoints in a table. */
export interface DuckFeatures {
  /** Computes the features of every window into a table of its own. */
  compute(): Promise<void>
  /** What was computed last, by series and time. */
  windows(): Promise<DuckWindow[]>
  close(): void
}

export async function openDuckFeatures({ series, ts, values }: Datapoints): Promise<DuckFeatures> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  await connection.run('create table datapoints (series integer, ts bigint, value double)')
  const appender = await connection.createAppender('datapoints')
  for (let from = 0; from < ts.length; from += CHUNK) {
    const to = from + CHUNK
    const chunk = DuckDBDataChunk.create([INTEGER, BIGINT, DOUBLE])
    chunk.setColumns([
      [...series.subarray(from, to)],
      Array.from(ts.subarray(from, to), BigInt),
      [...values.subarray(from, to)],
    ])
    appender.appendDataChunk(chunk)
  }
  appender.closeSync()
  return {
    compute: async () => {
      await connection.run(
        `create or replace table features as
         select series, (ts // ${WINDOW_MS}) * ${WINDOW_MS} as window_start, count(*) as count, avg(value) as mean,
           coalesce(stddev_samp(value), 0) as std, median(value) as median, mad(value) as mad,
           min(value) as min, max(value) as max, max(value) - min(value) as range
         from datapoints group by series, ts // ${WINDOW_MS}`,
      )
    },
    windows: async () => {
      const reader = await connection.runAndReadAll(
        `select series, window_start::double as window_start, count::double as count,
           * exclude (series, window_start, count) from features order by series, window_start`,
      )
      return v.parse(v.array(featuresSchema), reader.getRowObjects())
    },
    close: () => {
      connection.closeSync()
      instance.closeSync()
    },
  }
}
