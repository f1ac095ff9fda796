import type { ContentWithResolver, ResponsesWithResolver } from 'hono-openapi'
import { PROBLEMS, type ProblemCode } from '../problem.ts'

const RETRY_AFTER = {
  description: 'Whole seconds after which to send the same request again.',
  required: true,
  schema: { type: 'integer', minimum: 1 },
} as const

/** The body of problems in the format of the contract; a protocol of others' has its own. */
export const problemContent = (codes: ProblemCode[]): ContentWithResolver => ({
  'application/problem+json': {
    schema: {
      allOf: [
        { $ref: '#/components/schemas/Problem' },
        { type: 'object', properties: { code: { enum: codes } } },
      ],
    },
  },
})

/** One response a status, which names the codes it comes with. */
export function problemResponses(codes: Iterable<ProblemCode>, contentOf = problemContent) {
  const byStatus = Map.groupBy(new Set(codes), (code) => PROBLEMS[code][0])
  const responses: ResponsesWithResolver = {}
  for (const [status, ofStatus] of byStatus) {
    responses[status] = {
      description: ofStatus.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}.`).join(' '),
      ...((status === 429 || status === 503) && { headers: { 'Retry-After': RETRY_AFTER } }),
      content: contentOf(ofStatus),
    }
  }
  return responses
}
