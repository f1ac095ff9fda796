import * as v from 'valibot'
import { BATCH_ID } from './json-batch.ts'
import { Name } from './name.ts'
import { MAX_DATAPOINTS } from './parsed-batch.ts'
import { INTEGER, ISO_8601, PRECISIONS, parseTimestamp } from './timestamp.ts'

/*
 * What parseJsonBatch takes, for the reader of the API's description. It validates nothing at run time: a schema
 * would cost a point as much as parsing it. json-batch-schema.test.ts holds the two together.
 */

const Timestamp = v.pipe(
  v.union([
    v.pipe(v.number(), v.integer()),
    v.pipe(v.string(), v.regex(new RegExp(`${ISO_8601.source}|${INTEGER.source}`))),
  ]),
  v.check((value) => parseTimestamp(value, 'ms') !== undefined),
  v.metadata({
    description:
      'ISO 8601 (without an offset it is UTC), or an integer in the unit of `precision`, as text where a double would lose digits. Stored floored to the millisecond.',
    examples: ['2026-01-01T00:00:00Z', 1767225600000],
  }),
)
const Value = v.pipe(
  v.nullable(v.pipe(v.number(), v.finite())),
  v.description('In the given unit; null is no reading, and that datapoint is rejected.'),
)
const Unit = v.pipe(v.nullish(Name), v.description('The latest one sent is the unit of the series.'))

const Series = v.pipe(
  v.object({
    device: Name,
    metric: Name,
    unit: Unit,
    points: v.pipe(
      v.array(v.pipe(v.strictTuple([Timestamp, Value]), v.description('`[ts, value]`'))),
      v.maxLength(MAX_DATAPOINTS),
    ),
  }),
  v.metadata({ ref: 'SeriesPoints', description: 'Datapoints of one series, named once.' }),
)

const Datapoint = v.pipe(
  v.object({ device: Name, metric: Name, unit: Unit, ts: Timestamp, value: Value }),
  v.metadata({ ref: 'NamedDatapoint', description: 'One datapoint with the name of its series.' }),
)

export const JsonBatch = v.pipe(
  v.object({
    batch_id: v.optional(
      v.pipe(
        v.string(),
        v.regex(BATCH_ID),
        v.description('The sender’s name of the batch; left out, it is made from the SHA-256 of the body.'),
      ),
    ),
    source: v.optional(v.pipe(Name, v.description('The gateway: batches of one source are kept together.'))),
    precision: v.optional(
      v.pipe(v.picklist(PRECISIONS), v.description('The unit of integer timestamps.')),
      'ms',
    ),
    series: v.optional(v.pipe(v.array(Series), v.description('Compact: each series with its points.'))),
    datapoints: v.optional(
      v.pipe(
        v.array(Datapoint),
        v.maxLength(MAX_DATAPOINTS),
        v.description('Plain: each datapoint with the names of its series.'),
      ),
    ),
  }),
  v.check(({ series, datapoints }) => series !== undefined || datapoints !== undefined),
  v.metadata({
    ref: 'JsonBatch',
    description: `At most ${MAX_DATAPOINTS} datapoints, in either shape or both. Unknown fields are ignored.`,
    // At least one of the two, in a form that readers do not show as two kinds of body, as they do with anyOf.
    if: { required: ['series'] },
    else: { required: ['datapoints'] },
    examples: [
      {
        batch_id: 'gw7-000123',
        series: [
          {
            device: 'pump-7',
            metric: 'temperature',
            unit: 'C',
            points: [
              [1767225600000, 71.3],
              [1767225601000, 71.4],
            ],
          },
        ],
        datapoints: [
          { device: 'pump-7', metric: 'current', ts: '2026-01-01T00:00:00Z', value: 3.2, unit: 'A' },
        ],
      },
    ],
  }),
)
