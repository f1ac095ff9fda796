import { and, asc, eq, gte, lt } from 'drizzle-orm'
import * as v from 'valibot'
import { datapoints } from '../../migrations/schema.ts'
import { db, query } from '../database.ts'
import { component, Instant, pageOf } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { METRIC_LIST, metricRequest } from './metric-request.ts'
import { page } from './parameters.ts'

const Datapoint = component(
  'Datapoint',
  v.strictTuple([Instant, v.number()]),
  '`[ts, value]`, the value in the unit of the metric.',
)

/** `GET /v1/metrics/{id}/datapoints`. */
export const listDatapoints = operation(
  {
    operationId: 'listDatapoints',
    tag: 'Telemetry',
    summary: 'List the datapoints of a metric',
    description: 'As they were sent, floored to the millisecond, oldest first; `from` and `to` are on `ts`.',
    ...METRIC_LIST,
    answer: pageOf('DatapointPage', Datapoint),
    returns: 'A page of datapoints.',
  },
  async (c, given) => {
    const { tenantId, metricId, limit, from, to } = await metricRequest(c, given.params, given.query)
    const rows = await query(
      c,
      db
        .select({ ts: datapoints.ts, value: datapoints.value })
        .from(datapoints)
        .where(
          and(
            eq(datapoints.tenantId, tenantId),
            eq(datapoints.metricId, metricId),
            gte(datapoints.ts, from),
            lt(datapoints.ts, to),
          ),
        )
        .orderBy(asc(datapoints.ts))
        .limit(limit + 1),
    )
    return page(
      rows,
      limit,
      ({ ts, value }): [Date, number] => [ts, value],
      ({ ts }) => ts.getTime(),
    )
  },
)
