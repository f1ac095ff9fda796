import { CommandCard } from './command-card.tsx'

/** For a tenant that has sent nothing yet: a command that sends a first datapoint. */
export function FirstSteps({ now }: { now: number }) {
  const series = { device: 'pump-7', metric: 'temperature', unit: 'C', points: [[now, 71.3]] }
  return (
    <CommandCard
      title="No device has sent anything yet"
      hint="Send a first datapoint from a shell, with a key that has the scope “ingest”."
      path="/v1/ingest"
      body={{ series: [series] }}
    />
  )
}
