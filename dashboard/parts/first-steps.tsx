import { apiBaseUrl } from '../api/api-base-url.ts'
import { CopyButton } from './copy-button.tsx'

/** What to do when there is nothing to show yet: a command that sends a first datapoint. */
export function FirstSteps({ now }: { now: number }) {
  const command = ingestCommand(apiBaseUrl, now)
  return (
    <section class="card first-steps" aria-labelledby="first-steps">
      <h2 id="first-steps">No device has sent anything yet</h2>
      <p>
        Send a first datapoint from a shell. Put a key with the scope “ingest” in <code>EDGEPULSE_KEY</code>{' '}
        first.
      </p>
      {/* Focusable, as the command may be wider than the screen and must scroll by keyboard too. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region */}
      <pre tabIndex={0}>
        <code>{command}</code>
      </pre>
      <CopyButton text={command} />
    </section>
  )
}

/** The reader's key is left out: a screen is looked at by others, and this one may only read. */
function ingestCommand(baseUrl: string, now: number): string {
  const series = { device: 'pump-7', metric: 'temperature', unit: 'C', points: [[now, 71.3]] }
  return [
    `curl -X POST '${baseUrl}/v1/ingest'`,
    `-H "X-API-Key: $EDGEPULSE_KEY"`,
    `-H 'Content-Type: application/json'`,
    `-d '${JSON.stringify({ series: [series] })}'`,
  ].join(' \\\n  ')
}
