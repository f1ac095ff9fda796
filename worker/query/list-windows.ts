import * as v from 'valibot'
import type { WindowFeatures } from '../../telemetry/window-features.ts'
import { component, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { METRIC_LIST, metricRequest } from './metric-request.ts'
import { windowPage } from './window-page.ts'

const Window = component(
  'Window',
  v.object({
    window_start: Instant,
    window_end: told(Instant, '300 s later; the first instant that is no longer in it.'),
    count: told(v.pipe(v.number(), v.integer()), 'How many datapoints it holds.'),
    mean: v.number(),
    std: told(v.number(), 'The standard deviation with n − 1; 0 for a single datapoint.'),
    median: v.number(),
    mad: told(v.number(), 'The median absolute deviation from the median, unscaled.'),
    min: v.number(),
    max: v.number(),
    range: told(v.number(), '`max` − `min`.'),
  }),
  'The statistics of 300 s of a metric, aligned to the epoch, in the unit of the metric.',
  {
    window_start: '2026-01-08T12:00:00.000Z',
    window_end: '2026-01-08T12:05:00.000Z',
    count: 300,
    mean: 71.4,
    std: 0.32,
    median: 71.4,
    mad: 0.2,
    min: 70.6,
    max: 72.3,
    range: 1.7,
  },
)

/** `GET /v1/metrics/{id}/windows`. */
export const listWindows = operation(
  {
    operationId: 'listWindows',
    tag: 'Telemetry',
    summary: 'List the windows of a metric',
    description:
      'One row a window of 300 s that holds datapoints, oldest first, at most 3 minutes after it closed; `from` and `to` are on `window_start`. A page may be shorter than `limit` though there is more: `next_cursor` tells.',
    ...METRIC_LIST,
    answer: pageOf('WindowPage', Window),
    returns: 'A page of windows.',
  },
  async (c, given) => {
    const { windows, nextCursor } = await windowPage(await metricRequest(c, given.params, given.query))
    return { data: windows.map(windowView), next_cursor: nextCursor }
  },
)

function windowView({ windowStart, windowEnd, ...statistics }: WindowFeatures): v.InferOutput<typeof Window> {
  return { window_start: new Date(windowStart), window_end: new Date(windowEnd), ...statistics }
}
