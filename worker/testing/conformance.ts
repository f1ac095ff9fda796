import { JsonSchemas } from './json-schemas.ts'

type Content = Record<string, { schema: object }>

interface Answer {
  headers?: Record<string, { required?: boolean }>
  content?: Content
}

export interface Call {
  operationId: string
  parameters: { in: string; name: string }[]
  security?: Record<string, string[]>[]
  requestBody?: { content: Content }
  responses: Record<string, Answer>
}

/** What of an OpenAPI document the API's answers are held against. */
export interface ApiDocument {
  paths: Record<string, Record<string, Call>>
  components: { schemas: Record<string, object> }
}

export interface Exchange {
  method: string
  path: string
  /** What was sent, if it was text. */
  sent: string | undefined
  answer: Response
}

/** What is sent in longer bodies is sent in short ones, too. */
const MAX_SENT_LENGTH = 20_000

const PROBLEM: Answer = {
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

/** Holds answers against the API's own description, down to every property: what it does not name is a fault. */
export class Conformance {
  /** The answers that were seen, as `operationId status`. */
  readonly seen = new Set<string>()
  readonly document: ApiDocument
  readonly #answers: JsonSchemas
  readonly #requests: JsonSchemas

  constructor(document: ApiDocument) {
    this.document = document
    this.#answers = new JsonSchemas(document.components.schemas, { closed: true })
    this.#requests = new JsonSchemas(document.components.schemas, { closed: false })
  }

  /** What is otherwise than described; empty: nothing. */
  async faults({ method, path, sent, answer }: Exchange): Promise<string[]> {
    const call = this.#callOf(method, path)
    const described = call ? call.responses[answer.status] : undescribed(answer.status)
    if (described === undefined) return [`status ${answer.status} is not described`]
    if (call) this.seen.add(`${call.operationId} ${answer.status}`)
    return [
      ...missingHeaders(described, answer),
      ...(method === 'HEAD' ? [] : await this.#bodyFaults(described, answer)),
      ...(call && answer.ok ? this.#sentFaults(call, sent) : []),
    ]
  }

  #callOf(method: string, path: string): Call | undefined {
    const calls = Object.entries(this.document.paths).find(([template]) => fits(template, path))?.[1]
    return calls?.[method === 'HEAD' ? 'get' : method.toLowerCase()]
  }

  async #bodyFaults({ content }: Answer, answer: Response): Promise<string[]> {
    // Not text(): the runtime warns where a type is none of text.
    const text = new TextDecoder().decode(await answer.clone().arrayBuffer())
    if (content === undefined) return text === '' ? [] : ['no body is described']
    const type = answer.headers.get('content-type')?.split(';')[0] ?? 'none'
    const schema = content[type]?.schema
    if (schema === undefined) return [`content type ${type} is not described`]
    return this.#answers.faults(schema, type.endsWith('json') ? JSON.parse(text) : text)
  }

  /** A request that was served must be one that the description allows. */
  #sentFaults({ requestBody }: Call, sent: string | undefined): string[] {
    const schema = requestBody?.content['application/json']?.schema
    if (schema === undefined || sent === undefined || sent.length > MAX_SENT_LENGTH) return []
    return this.#requests.faults(schema, JSON.parse(sent)).map((fault) => `served, but sent ${fault}`)
  }
}

/** Where nothing is described, a problem says so. */
const undescribed = (status: number) => (status === 404 || status === 405 ? PROBLEM : undefined)

const missingHeaders = ({ headers = {} }: Answer, answer: Response) =>
  Object.entries(headers)
    .filter(([name, { required }]) => required && !answer.headers.has(name))
    .map(([name]) => `header ${name} is missing`)

function fits(template: string, path: string): boolean {
  const parts = path.split('/')
  const expected = template.split('/')
  return (
    expected.length === parts.length &&
    expected.every((part, i) => part === parts[i] || (part.startsWith('{') && parts[i] !== ''))
  )
}
