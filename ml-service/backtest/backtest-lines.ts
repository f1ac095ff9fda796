import type { Series } from '../metric-lookup.ts'
import type { Backtest } from './backtest-series.ts'

const WIDTH = 17

/** A backtest for a person: what it covered, and a row a threshold. */
export function backtestLines({ device, metric }: Series, backtest: Backtest): string[] {
  const { windows, readyWindows, scored, labels } = backtest
  const span = scored === undefined ? '' : `, ${timeOf(scored.from)} to ${timeOf(scored.to)}`
  const labelled = labels === undefined ? '' : `, ${labels} labelled spans`
  const title = `${device}/${metric}: ${windows} windows, ${readyWindows} scored${span}${labelled}`
  const rows = backtestJson(backtest).thresholds
  const columns = Object.keys(rows[0] ?? {})
  return [
    title,
    rowLine(columns.map((name) => name.replaceAll('_', ' '))),
    ...rows.map((row) => rowLine(Object.values(row).map(cellOf))),
  ]
}

const timeOf = (ms: number) => new Date(ms).toISOString()

const rowLine = (cells: string[]) => cells.map((cell) => cell.padStart(WIDTH)).join('  ')

const cellOf = (value: number | null) => (value === null ? '-' : String(Number(value.toFixed(3))))

/**
 * The same with the contract's spelling. Precision and recall are there with labels: the part of the alerts that
 * lay in a labelled span, and the part of the spans that an alert met; null where there is nothing to divide by.
 */
export function backtestJson({ windows, readyWindows, scored, labels, thresholds }: Backtest) {
  return {
    windows,
    windows_scored: readyWindows,
    from: scored === undefined ? null : timeOf(scored.from),
    to: scored === undefined ? null : timeOf(scored.to),
    labels: labels ?? null,
    thresholds: thresholds.map((row) => ({
      threshold: row.threshold,
      anomalous_windows: row.anomalousWindows,
      alerts: row.alerts,
      alerts_per_week: row.alertsPerWeek,
      ...(labels === undefined
        ? {}
        : {
            precision: part(row.trueAlerts, row.alerts),
            recall: part(row.labelsFound, labels),
          }),
    })),
  }
}

const part = (some: number, all: number) => (all === 0 ? null : some / all)
