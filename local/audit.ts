import { spawn } from 'node:child_process'
import * as v from 'valibot'
import { ROOT } from './settings.ts'

/* `npm run audit`: known holes in what is deployed. Fails on a high or critical one, and when nobody could say. */

const MANY = v.record(v.string(), v.number())
const Report = v.object({
  metadata: v.object({ vulnerabilities: MANY }),
  vulnerabilities: v.record(
    v.string(),
    v.object({ name: v.string(), severity: v.string(), range: v.optional(v.string(), '') }),
  ),
})
const Refusal = v.object({ statusCode: v.number() })

const SEVERE = ['high', 'critical']
/** How a registry answers that has no such endpoint or lets nobody at it, as mirrors often do. */
const NO_ENDPOINT = [403, 404, 405, 501]

export interface AuditOutcome {
  exitCode: 0 | 1
  told: string
}

/** What to make of what `npm audit --json` printed. */
export function judgeAudit(output: string): AuditOutcome {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson()), output)
  const report = v.safeParse(Report, parsed.output)
  if (report.success) return judgeReport(report.output)
  const refusal = v.safeParse(Refusal, parsed.output)
  if (refusal.success && NO_ENDPOINT.includes(refusal.output.statusCode)) {
    const { statusCode } = refusal.output
    const told = `NOT AUDITED: this npm registry has no audit endpoint (${statusCode}); audit where one is reached.`
    return { exitCode: 0, told }
  }
  return { exitCode: 1, told: `The dependencies could not be audited:\n${output.trim()}` }
}

function judgeReport({ metadata, vulnerabilities }: v.InferOutput<typeof Report>): AuditOutcome {
  const severe = Object.values(vulnerabilities).filter(({ severity }) => SEVERE.includes(severity))
  if (severe.length > 0) {
    const list = severe.map(({ name, severity, range }) => `  ${severity}: ${name} ${range}`)
    return { exitCode: 1, told: ['Dependencies of what is deployed have known holes:', ...list].join('\n') }
  }
  const { total = 0 } = metadata.vulnerabilities
  return {
    exitCode: 0,
    told: `No high or critical hole is known in the dependencies (${total} lesser ones).`,
  }
}

/** Asks the registry that npm is set to about production dependencies, those of the lockfile. */
export async function audit(environment: NodeJS.ProcessEnv = process.env): Promise<AuditOutcome> {
  const child = spawn('npm', ['audit', '--omit=dev', '--json', '--loglevel=silent'], {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) output += chunk
  return judgeAudit(output)
}

if (import.meta.main) {
  const { exitCode, told } = await audit()
  console.log(told)
  process.exitCode = exitCode
}
