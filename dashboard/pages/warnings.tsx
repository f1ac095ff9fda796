import type { Status } from '../api/schemas.ts'

/** What the API itself warns of, in its words. */
export function Warnings({ warnings }: { warnings: Status['warnings'] }) {
  if (warnings.length === 0) return null
  return (
    <section aria-labelledby="warnings">
      <h2 id="warnings">Needs attention</h2>
      <ul class="card warnings">
        {warnings.map(({ code, message }) => (
          <li key={`${code} ${message}`}>{message}</li>
        ))}
      </ul>
    </section>
  )
}
