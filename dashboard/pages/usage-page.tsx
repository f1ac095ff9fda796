import { useApi } from '../api/api-context.ts'
import type { Usage, UsageDay } from '../api/schemas.ts'
import { useResource } from '../api/use-resource.ts'
import { csvOf } from '../csv.ts'
import { formatBytes, formatCount, formatDay } from '../format.ts'
import { BarChart } from '../parts/bar-chart.tsx'
import { CsvButton } from '../parts/csv-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { FirstSteps } from '../parts/first-steps.tsx'
import { PageHeader } from '../parts/page-header.tsx'
import { Loaded } from '../parts/states.tsx'
import { USAGE_DAYS, usageHref } from '../route.ts'

const DAY_MS = 86_400_000

const COUNTERS = ['datapoints', 'batches', 'bytes', 'duplicates', 'rejected', 'windows_scored'] as const

const columns: Column<UsageDay>[] = [
  { head: 'Day (UTC)', cell: ({ date }) => formatDay(date) },
  { head: 'Datapoints', cell: ({ datapoints }) => formatCount(datapoints), numeric: true },
  { head: 'Batches', cell: ({ batches }) => formatCount(batches), numeric: true },
  { head: 'Received', cell: ({ bytes }) => formatBytes(bytes), numeric: true },
  { head: 'Duplicates', cell: ({ duplicates }) => formatCount(duplicates), numeric: true },
  { head: 'Rejected', cell: ({ rejected }) => formatCount(rejected), numeric: true },
  { head: 'Windows scored', cell: ({ windows_scored }) => formatCount(windows_scored), numeric: true },
]

/** What was sent, day by day. */
export function UsagePage({ days }: { days: number }) {
  const api = useApi()
  const { resource, reload } = useResource(`usage ${days}`, async (read) => {
    const dates = daysUpTo(Date.now(), days)
    return { dates, usage: await api.usage(dates[0]!, dates.at(-1)!, read) }
  })
  return (
    <>
      <PageHeader title="Usage" />
      <nav aria-label="Time range" class="ranges">
        {USAGE_DAYS.map((each) => (
          <a key={each} href={usageHref(each)} aria-current={each === days ? 'true' : undefined}>
            {each} days
          </a>
        ))}
      </nav>
      <Loaded resource={resource} reload={reload}>
        {({ dates, usage }) =>
          usage.data.length === 0 ? <FirstSteps now={Date.now()} /> : <Days dates={dates} usage={usage} />
        }
      </Loaded>
    </>
  )
}

function Days({ dates, usage: { data, total } }: { dates: string[]; usage: Usage }) {
  const byDate = new Map(data.map((day) => [day.date, day]))
  const bars = dates.map((date) => ({ label: formatDay(date), value: byDate.get(date)?.datapoints ?? 0 }))
  const label = `Datapoints a day: ${formatCount(total.datapoints)} from ${bars[0]?.label} to ${bars.at(-1)?.label}.`
  const csv = () =>
    csvOf(
      ['date', ...COUNTERS],
      data.map((day) => [day.date, ...COUNTERS.map((counter) => day[counter])]),
    )
  return (
    <>
      <dl class="tiles">
        <Total name="Datapoints" text={formatCount(total.datapoints)} />
        <Total name="Batches" text={formatCount(total.batches)} />
        <Total name="Received" text={formatBytes(total.bytes)} />
        <Total name="Duplicate batches" text={formatCount(total.duplicates)} />
        <Total name="Rejected datapoints" text={formatCount(total.rejected)} />
        <Total name="Windows scored" text={formatCount(total.windows_scored)} />
      </dl>
      <section class="card" aria-label="Datapoints a day">
        <h2>Datapoints a day</h2>
        <BarChart bars={bars} label={label} />
      </section>
      <div class="table-head">
        <h2>By day</h2>
        <CsvButton name={`usage-${dates[0]}-${dates.at(-1)}`} make={csv} />
      </div>
      <DataTable
        caption="Usage by day, newest first"
        columns={columns}
        rows={data.toReversed()}
        rowKey={({ date }) => date}
      />
    </>
  )
}

const Total = ({ name, text }: { name: string; text: string }) => (
  <div class="tile">
    <dt>{name}</dt>
    <dd>
      <span class="figure">{text}</span>
    </dd>
  </div>
)

/** So many UTC days up to that of `now`, as the API writes them. */
const daysUpTo = (now: number, days: number): string[] =>
  Array.from({ length: days }, (_, index) =>
    new Date(now - (days - 1 - index) * DAY_MS).toISOString().slice(0, 10),
  )
