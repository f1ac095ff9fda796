import type { Env, Hono } from 'hono'
import { type GenerateSpecOptions, generateSpecs } from 'hono-openapi'
import { ProblemBody } from '../problem.ts'
import { VERSION } from '../version.ts'
import type { Description } from './description.ts'
import { answerSchema } from './json-schema.ts'
import { SECURITY_SCHEMES } from './security.ts'

const TAGS: Record<Description['tag'], string> = {
  Ingest: 'Writing datapoints. Sending again what may have arrived is always safe: a batch has one effect.',
  Telemetry: 'What was measured: devices, metrics, datapoints, and their windows of 300 s.',
  Detection: 'How unusual each window was.',
  Alerts: 'Rules over scores, and the alerts they raised.',
  Webhooks: 'Where alerts are sent, signed as the Standard Webhooks specification has it.',
  Account: 'How much a tenant sends, and how its data flows.',
  Administration: 'Tenants, their keys, and what could not be stored, for the operator.',
  Service: 'About the service itself; no key needed.',
}

const INTRODUCTION = `
Telemetry ingestion and anomaly detection for many tenants.

* **Keys** go in \`X-API-Key\`, or as a bearer. Each call names the scopes one of which its key needs.
* **Errors** are \`application/problem+json\` with a stable \`code\`; \`errors\` lists the faults of a request by path.
* **What passes** answers 429 or 503 with \`Retry-After\`, in whole seconds: send the same request again then.
* **Faults of ours** answer 500 \`internal_error\`; we are told, and sending again does not help.
* **Times** in answers are ISO 8601 in UTC with milliseconds; in requests ISO 8601 or epoch milliseconds. \`from\`
  and \`to\` are half-open, \`from\` ≤ t < \`to\`, and at most 92 days apart.
* **Lists** come in pages: hand \`next_cursor\` on as \`cursor\` until it is null.
`

/** The OpenAPI document of an app: what its routes declare, in the order of the app. */
export async function openApiDocument<E extends Env>(app: Hono<E>) {
  const document = await generateSpecs(app, await options())
  for (const item of Object.values(document.paths)) {
    for (const call of Object.values(item ?? {})) if (isCall(call)) nameScopes(call)
  }
  return document
}

/** `/v1/openapi.json` is no static file, and no validator of the generator's own describes its 400. */
async function options(): Promise<Partial<GenerateSpecOptions>> {
  const { components } = await answerSchema(ProblemBody).toOpenAPISchema()
  return {
    excludeStaticFile: false,
    defaultValidationErrorResponse: false,
    documentation: {
      info: {
        title: 'EdgePulse',
        version: VERSION,
        description: INTRODUCTION.trim(),
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: { ...components, securitySchemes: SECURITY_SCHEMES },
    },
  }
}

interface Call {
  description?: string
  security?: Record<string, string[]>[]
}

const isCall = (item: unknown): item is Call =>
  typeof item === 'object' && item !== null && 'responses' in item

/** Says in words which scopes a call needs: most readers of the document show no others. */
function nameScopes(call: Call): void {
  const scopes = new Set(call.security?.flatMap((scheme) => Object.values(scheme).flat()))
  if (scopes.size === 0) return
  const needs = `Scope: ${[...scopes].map((scope) => `\`${scope}\``).join(' or ')}.`
  call.description = call.description ? `${call.description}\n\n${needs}` : needs
}
