import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { JsonMetricsSerializer, ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { request } from './tenant.ts'

/** Both encodings of OTLP/HTTP, as the exporters have them. */
export const ENCODINGS = {
  JSON: { type: 'application/json', serializer: JsonMetricsSerializer },
  protobuf: { type: 'application/x-protobuf', serializer: ProtobufMetricsSerializer },
}
export type Encoding = (typeof ENCODINGS)[keyof typeof ENCODINGS]

/** Sends bytes as an exporter does. */
export function post(
  tenant: { key: string },
  { type }: Pick<Encoding, 'type'>,
  body: BodyInit,
  headers: Record<string, string> = {},
) {
  return request('/otlp/v1/metrics', {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.key}`, 'content-type': type, ...headers },
    body,
  })
}

/** A `google.rpc.Status` in the encoding of its answer. */
export async function statusOf(
  answer: Response,
): Promise<{ code: number; message: string; fields: string[] }> {
  if (answer.headers.get('content-type') !== ENCODINGS.protobuf.type) {
    const { code, message, details } = await answer.json<{
      code: number
      message: string
      details?: { fieldViolations: { field: string }[] }[]
    }>()
    return {
      code,
      message,
      fields: (details ?? []).flatMap((each) => each.fieldViolations.map(({ field }) => field)),
    }
  }
  const status = fieldsOf(await answer.bytes())
  const details = (status.get(3) ?? []).map((any) => fieldsOf(any as Uint8Array))
  const violations = details.flatMap((any) => fieldsOf(any.get(2)?.[0] as Uint8Array).get(1) ?? [])
  return {
    code: status.get(1)?.[0] as number,
    message: text(status.get(2)?.[0]),
    fields: violations.map((each) => text(fieldsOf(each as Uint8Array).get(1)?.[0])),
  }
}

const text = (bytes: unknown) => new TextDecoder().decode(bytes as Uint8Array)

/** The fields of a protobuf message, which are small numbers, strings and messages. */
function fieldsOf(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const fields = new Map<number, (number | Uint8Array)[]>()
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    const value = type === WireType.Varint ? reader.uint32() : reader.bytes()
    fields.set(field, [...(fields.get(field) ?? []), value])
  }
  return fields
}
