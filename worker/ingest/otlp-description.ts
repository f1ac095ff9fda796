import * as v from 'valibot'
import { component, told } from '../openapi/fields.ts'

/*
 * What parseOtlpJson takes, as far as it is looked at, for the reader of the API's description. It validates nothing
 * at run time.
 */

const list = <const Item extends v.GenericSchema>(item: Item) => v.nullish(v.array(item))

/** A 64-bit integer as protobuf has it in JSON. */
const Integer = v.nullish(
  v.union([v.pipe(v.string(), v.regex(/^-?\d{1,20}$/)), v.pipe(v.number(), v.integer())]),
)
const Double = v.nullish(v.union([v.number(), v.string()]))

const Attributes = list(
  component(
    'OtlpKeyValue',
    v.object({
      key: v.nullish(v.string()),
      value: told(v.nullish(v.looseObject({})), 'An `AnyValue`, such as `{"stringValue":"x"}`.'),
    }),
    'An attribute.',
  ),
)

const ofPoint = {
  timeUnixNano: told(
    Integer,
    'Epoch nanoseconds, stored floored to the millisecond; left out or 0: the time of arrival.',
  ),
  attributes: told(Attributes, 'They follow in the name of the series, sorted: `NAME,key=value`.'),
  flags: told(Integer, '1: no value was recorded, and the datapoint is rejected.'),
}

const Numbers = component(
  'OtlpNumbers',
  v.object({
    dataPoints: list(
      v.object({
        ...ofPoint,
        asDouble: told(Double, 'The value.'),
        asInt: told(Integer, 'The value, if it is an integer.'),
      }),
    ),
  }),
  'A gauge or a sum: datapoints of the series `NAME`. Sums are stored as they come, whatever their temporality.',
)

const Distributions = component(
  'OtlpDistributions',
  v.object({
    dataPoints: list(
      v.object({
        ...ofPoint,
        count: told(Integer, 'A datapoint of the series `NAME.count`.'),
        sum: told(Double, 'A datapoint of the series `NAME.sum`, if there is one.'),
      }),
    ),
  }),
  'A histogram, exponential histogram or summary; of buckets and quantiles nothing is stored.',
)

const Metric = component(
  'OtlpMetric',
  v.object({
    name: v.nullish(v.string()),
    unit: v.nullish(v.string()),
    gauge: v.nullish(Numbers),
    sum: v.nullish(Numbers),
    histogram: v.nullish(Distributions),
    exponentialHistogram: v.nullish(Distributions),
    summary: v.nullish(Distributions),
  }),
  'A metric with one kind of data.',
)

export const OtlpMetrics = component(
  'OtlpMetrics',
  v.object({
    resourceMetrics: list(
      v.object({
        resource: v.nullish(
          v.object({
            attributes: told(
              Attributes,
              'The device is named by `device.id`, else `service.instance.id`, else `host.name`.',
            ),
          }),
        ),
        scopeMetrics: list(v.object({ metrics: list(Metric) })),
      }),
    ),
  }),
  'An `ExportMetricsServiceRequest`. Fields that are not named here are ignored.',
  {
    resourceMetrics: [
      {
        resource: { attributes: [{ key: 'device.id', value: { stringValue: 'pump-7' } }] },
        scopeMetrics: [
          {
            metrics: [
              {
                name: 'engine.temperature',
                unit: 'C',
                gauge: { dataPoints: [{ timeUnixNano: '1767225600000000000', asDouble: 71.3 }] },
              },
            ],
          },
        ],
      },
    ],
  },
)
