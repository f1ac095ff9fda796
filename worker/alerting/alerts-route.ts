import { and, asc, eq, gte, lt, sql } from 'drizzle-orm'
import { Hono } from 'hono'
import * as v from 'valibot'
import { alertEvents } from '../../migrations/alerting-schema.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { component, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import {
  cursorOf,
  emptyPage,
  InstantAndIdCursor,
  idFilter,
  idOf,
  Limit,
  notFound,
  page,
  Range,
  rangeOf,
} from '../query/parameters.ts'
import { requireScope } from '../tenant-auth.ts'
import { ALERT_COLUMNS, Alert, alertView, State } from './alert-view.ts'

const Acknowledgement = component(
  'Acknowledgement',
  v.object({
    note: told(
      v.optional(
        v.nullable(v.pipe(v.string(), v.maxLength(2000), v.regex(/^[^\0]*$/u, 'must not hold NUL'))),
        null,
      ),
      'For those who see the alert next.',
    ),
  }),
  'That somebody took notice of an alert.',
  { note: 'Bearing ordered, runs at half load until Friday.' },
)

const params = idOf('alert')

/** null: a state that no alert has. */
const stateFilter = v.pipe(
  v.string(),
  v.metadata({ enum: State.options, description: 'Only alerts in this state.' }),
  v.transform((text) => (v.is(State, text) ? text : null)),
)

const listAlerts = operation(
  {
    operationId: 'listAlerts',
    tag: 'Alerts',
    summary: 'List alerts',
    description: 'Ordered by `opened_at`, oldest first; `from` and `to` are on `opened_at`.',
    query: v.object({
      metric_id: idFilter('Only alerts of this metric.'),
      state: v.optional(stateFilter),
      ...Range.entries,
      limit: Limit,
      cursor: cursorOf(InstantAndIdCursor),
    }),
    answer: pageOf('AlertPage', Alert),
    returns: 'A page of alerts.',
  },
  async (c, { query: { metric_id: metricId, state, limit, cursor: after, ...range } }) => {
    const { from, to } = rangeOf(range, Date.now())
    if (metricId === null || state === null) return emptyPage()
    const rows = await query(
      c,
      db
        .select(ALERT_COLUMNS)
        .from(alertEvents)
        .where(
          and(
            eq(alertEvents.tenantId, c.get('tenantId')),
            metricId === undefined ? undefined : eq(alertEvents.metricId, metricId),
            state === undefined ? undefined : eq(alertEvents.state, state),
            gte(alertEvents.openedAt, from),
            lt(alertEvents.openedAt, to),
            after && sql`(${alertEvents.openedAt}, ${alertEvents.id}) > (${after[0]}, ${after[1]})`,
          ),
        )
        .orderBy(asc(alertEvents.openedAt), asc(alertEvents.id))
        .limit(limit + 1),
    )
    return page(rows, limit, alertView, (row) => [row.openedAt.getTime(), row.id])
  },
)

const getAlert = operation(
  {
    operationId: 'getAlert',
    tag: 'Alerts',
    summary: 'Read an alert',
    params,
    answer: Alert,
    returns: 'The alert.',
  },
  async (c, { params: { id } }) => {
    const [row] = await query(
      c,
      db
        .select(ALERT_COLUMNS)
        .from(alertEvents)
        .where(and(eq(alertEvents.tenantId, c.get('tenantId')), eq(alertEvents.id, id))),
    )
    if (row === undefined) throw notFound()
    return alertView(row)
  },
)

const acknowledgeAlert = operation(
  {
    operationId: 'acknowledgeAlert',
    tag: 'Alerts',
    summary: 'Acknowledge an alert',
    description: 'In whatever state it is; again replaces the note and the time. It changes nothing else.',
    params,
    body: Acknowledgement,
    answer: Alert,
    returns: 'The alert, acknowledged.',
  },
  async (c, { params: { id }, body: { note } }) => {
    const [row] = await query(
      c,
      db
        .update(alertEvents)
        .set({ acknowledgedAt: new Date(), acknowledgementNote: note })
        .where(and(eq(alertEvents.tenantId, c.get('tenantId')), eq(alertEvents.id, id)))
        .returning(ALERT_COLUMNS),
    )
    if (row === undefined) throw notFound()
    return alertView(row)
  },
)

/** `/v1/alerts`: the events that the ML service stores. */
export const alertsRoute = new Hono<AppEnv>()
  .get('/', requireScope('read'), listAlerts)
  .get('/:id', requireScope('read'), getAlert)
  .post('/:id/acknowledge', requireScope('manage'), acknowledgeAlert)
