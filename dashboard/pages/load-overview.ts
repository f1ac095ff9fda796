import type { Api } from '../api/api.ts'
import type { ReadOptions } from '../api/request.ts'
import type { Alert, Device, Page, Status, TopAnomaly } from '../api/schemas.ts'
import { MAX_SPAN_MS } from '../time-range.ts'

const DAY_MS = 86_400_000
const SILENT_SHOWN = 100
const TOP_SHOWN = 8

export interface Overview {
  /** When it was read. */
  now: number
  status: Status
  datapointsToday: number
  openAlerts: Alert[]
  anomalies: TopAnomaly[]
  /** The first of them; more are there when the page has a cursor. */
  silent: Page<Device>
}

/** All that the overview shows, read at once. */
export async function loadOverview(api: Api, now: number, read: ReadOptions): Promise<Overview> {
  const today = new Date(now).toISOString().slice(0, 10)
  const lately = { from: now - DAY_MS, to: now }
  const [status, usage, openAlerts, anomalies, silent] = await Promise.all([
    api.status(read),
    api.usage(today, today, read),
    api.alerts({ from: now - MAX_SPAN_MS, to: now }, { state: 'open' }, read),
    api.topAnomalies(lately, TOP_SHOWN, read),
    api.devices({ silent: true }, undefined, read, SILENT_SHOWN),
  ])
  return { now, status, datapointsToday: usage.total.datapoints, openAlerts, anomalies, silent }
}
