import * as v from 'valibot'
import { Instant, told } from '../openapi/fields.ts'

export const ReadyAt = told(
  v.nullable(Instant),
  'While `learning`: when that will be over if the metric goes on sending as it does. Null when it is `ready`, and when that time has passed because data failed to come: learning then goes on with the next that do.',
)

/** A metric that stopped sending is not ready because the time has come at which it would have been. */
export const readyAtView = (estimate: Date | null, now: number): Date | null =>
  estimate !== null && estimate.getTime() > now ? estimate : null
