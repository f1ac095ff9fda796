import type { ContentWithResolver, ResponsesWithResolver } from 'hono-openapi'
import { PROBLEMS, type ProblemCode } from '../problem.ts'

const RETRY_AFTER = {
  description: 'Whole seconds after which to send the same request again.',
  required: true,
  schema: { type: 'integer', minimum: 1 },
} as const

/** How a protocol tells what went wrong. */
export interface ProblemFormat {
  describe(codes: ProblemCode[]): string
  contentOf(codes: ProblemCode[]): ContentWithResolver
}

/** That of everything but others' protocols. */
const PROBLEM_JSON: ProblemFormat = {
  describe: (codes) => codes.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}.`).join(' '),
  contentOf: (codes) => ({
    'application/problem+json': {
      schema: {
        allOf: [
          { $ref: '#/components/schemas/Problem' },
          { type: 'object', properties: { code: { enum: codes } } },
        ],
      },
    },
  }),
}

/** One response a status, which tells the codes it comes with. */
export function problemResponses(codes: Iterable<ProblemCode>, format = PROBLEM_JSON): ResponsesWithResolver {
  const byStatus = Map.groupBy(new Set(codes), (code) => PROBLEMS[code][0])
  const responses = Array.from(byStatus, ([status, ofStatus]) => {
    const waits = status === 429 || status === 503
    const response = {
      description: format.describe(ofStatus),
      ...(waits && { headers: { 'Retry-After': RETRY_AFTER } }),
      content: format.contentOf(ofStatus),
    }
    return [status, response]
  })
  return Object.fromEntries(responses)
}
