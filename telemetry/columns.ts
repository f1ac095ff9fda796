/** What names a series within a tenant; `unit` is the last one given. */
export interface SeriesName {
  device: string
  metric: string
  unit: string | null
}

/**
 * The datapoints of one batch as columns, grouped by series. Those of series `i` are at
 * `offsets[i] … offsets[i + 1] - 1`, ascending in `ts` without repeats.
 */
export interface Columns {
  series: SeriesName[]
  offsets: Uint32Array
  /** Epoch ms. */
  ts: Float64Array
  values: Float64Array
  /** Where the datapoint stood in the body: counted over `series` first, then `datapoints`. */
  ordinals: Uint32Array
}

/** A batch as its format gave it, in body order: datapoint `i` belongs to `names[seriesOf[i]]`. */
export interface BodyOrder {
  names: SeriesName[]
  seriesOf: Uint32Array
  /** Epoch ms. */
  ts: Float64Array
  values: Float64Array
}

/**
 * Groups the datapoints by series, but for those whose `skip[ordinal]` is 1. Of those that share series and timestamp the
 * last one in the body counts; the others are returned as `repeated` (their ordinals). O(n) when each series
 * comes in time order, O(n log n) otherwise.
 */
export function groupBySeries(body: BodyOrder, skip?: Uint8Array): { columns: Columns; repeated: number[] } {
  if (skip === undefined && isGrouped(body)) return { columns: asColumns(body), repeated: [] }
  const bounds = segmentBounds(body, skip)
  const grouped = new Uint32Array(bounds[body.names.length]!)
  const next = bounds.slice()
  for (let i = 0; i < body.ts.length; i += 1) {
    if (skip?.[i] === 1) continue
    const at = next[body.seriesOf[i]!]!
    grouped[at] = i
    next[body.seriesOf[i]!] = at + 1
  }
  return emitSegments(body, grouped, bounds)
}

/** Whether the body holds one series after the other, each in time order without repeats. */
function isGrouped({ seriesOf, ts }: BodyOrder): boolean {
  let series = -1
  let last = Number.NEGATIVE_INFINITY
  for (let i = 0; i < ts.length; i += 1) {
    const time = ts[i]!
    const own = seriesOf[i]!
    if (own < series || (own === series && time <= last)) return false
    series = own
    last = time
  }
  return true
}

/** The columns of a grouped body: its own arrays. O(series) but for the ordinals. */
function asColumns({ names, seriesOf, ts, values }: BodyOrder): Columns {
  const series: SeriesName[] = []
  const offsets: number[] = []
  const ordinals = new Uint32Array(ts.length)
  let last = -1
  for (let i = 0; i < ts.length; i += 1) {
    ordinals[i] = i
    const own = seriesOf[i]!
    if (own === last) continue
    series.push(names[own]!)
    offsets.push(i)
    last = own
  }
  offsets.push(ts.length)
  return { series, offsets: Uint32Array.from(offsets), ts, values, ordinals }
}

/** `bounds[s] … bounds[s + 1]` will hold series `s`. */
function segmentBounds(body: BodyOrder, skip: Uint8Array | undefined): Uint32Array {
  const bounds = new Uint32Array(body.names.length + 1)
  for (let i = 0; i < body.ts.length; i += 1) {
    if (skip?.[i] !== 1) bounds[body.seriesOf[i]! + 1]! += 1
  }
  for (let s = 0; s < body.names.length; s += 1) bounds[s + 1]! += bounds[s]!
  return bounds
}

function emitSegments(body: BodyOrder, grouped: Uint32Array, bounds: Uint32Array) {
  const size = grouped.length
  const columns = {
    series: [] as SeriesName[],
    offsets: [0],
    ts: new Float64Array(size),
    values: new Float64Array(size),
    ordinals: new Uint32Array(size),
  }
  const repeated: number[] = []
  let at = 0
  for (let s = 0; s < body.names.length; s += 1) {
    const segment = grouped.subarray(bounds[s]!, bounds[s + 1]!)
    if (segment.length === 0) continue
    if (!ascending(segment, body.ts)) segment.sort((a, b) => body.ts[a]! - body.ts[b]! || a - b)
    for (let k = 0; k < segment.length; k += 1) {
      const ordinal = segment[k]!
      if (k + 1 < segment.length && body.ts[segment[k + 1]!] === body.ts[ordinal]) {
        repeated.push(ordinal)
        continue
      }
      columns.ts[at] = body.ts[ordinal]!
      columns.values[at] = body.values[ordinal]!
      columns.ordinals[at] = ordinal
      at += 1
    }
    columns.series.push(body.names[s]!)
    columns.offsets.push(at)
  }
  return { columns: trim(columns, at), repeated }
}

function ascending(segment: Uint32Array, ts: Float64Array): boolean {
  for (let k = 1; k < segment.length; k += 1) {
    if (ts[segment[k]!]! <= ts[segment[k - 1]!]!) return false
  }
  return true
}

/** Views are copied: one sent over RPC would carry its whole buffer. */
function trim(columns: Omit<Columns, 'offsets'> & { offsets: number[] }, length: number): Columns {
  const whole = length === columns.ts.length
  return {
    series: columns.series,
    offsets: Uint32Array.from(columns.offsets),
    ts: whole ? columns.ts : columns.ts.slice(0, length),
    values: whole ? columns.values : columns.values.slice(0, length),
    ordinals: whole ? columns.ordinals : columns.ordinals.slice(0, length),
  }
}

/** The columns without the datapoints before `minTs`, and the ordinals of those. O(series) when there are none, else O(n). */
export function dropOlder(columns: Columns, minTs: number): { columns: Columns; dropped: number[] } {
  const { series, offsets, ts } = columns
  if (series.every((_, s) => ts[offsets[s]!]! >= minTs)) return { columns, dropped: [] }
  return filterColumns(columns, (_, ts) => ts >= minTs)
}

/** The columns without the series for which `refused` holds, and the ordinals of their datapoints. O(series) when there are none, else O(n). */
export function dropSeries(columns: Columns, refused: (name: SeriesName) => boolean) {
  const drop = columns.series.map(refused)
  if (!drop.includes(true)) return { columns, dropped: [] }
  return filterColumns(columns, (s) => !drop[s])
}

function filterColumns(
  columns: Columns,
  keeps: (series: number, ts: number) => boolean,
): { columns: Columns; dropped: number[] } {
  const kept: Omit<Columns, 'offsets'> & { offsets: number[] } = {
    series: [],
    offsets: [0],
    ts: new Float64Array(columns.ts.length),
    values: new Float64Array(columns.ts.length),
    ordinals: new Uint32Array(columns.ts.length),
  }
  const dropped: number[] = []
  let at = 0
  columns.series.forEach((name, s) => {
    const before = at
    for (let i = columns.offsets[s]!; i < columns.offsets[s + 1]!; i += 1) {
      if (!keeps(s, columns.ts[i]!)) {
        dropped.push(columns.ordinals[i]!)
        continue
      }
      kept.ts[at] = columns.ts[i]!
      kept.values[at] = columns.values[i]!
      kept.ordinals[at] = columns.ordinals[i]!
      at += 1
    }
    if (at === before) return
    kept.series.push(name)
    kept.offsets.push(at)
  })
  return dropped.length === 0 ? { columns, dropped } : { columns: trim(kept, at), dropped }
}
