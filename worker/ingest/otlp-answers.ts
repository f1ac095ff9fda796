import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import * as v from 'valibot'
import type { Fault } from '../../telemetry/batch-refusal.ts'
import { component, told } from '../openapi/fields.ts'

/** What an answer of OTLP/HTTP says, in both encodings that it may be asked for. */
export interface OtlpAnswer {
  json: v.InferOutput<typeof ExportResponse> | v.InferOutput<typeof RpcStatus>
  protobuf: Uint8Array<ArrayBuffer>
}

export const ExportResponse = component(
  'OtlpExportResponse',
  v.object({
    partialSuccess: v.optional(
      v.object({
        rejectedDataPoints: told(
          v.string(),
          'How many datapoints were rejected, as protobuf has integers in JSON.',
        ),
        errorMessage: told(v.string(), 'The first of them for each reason.'),
      }),
    ),
  }),
  'An `ExportMetricsServiceResponse`: empty where everything was stored.',
  { partialSuccess: { rejectedDataPoints: '1', errorMessage: 'Not stored, the first for each reason: …' } },
)

const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest'

export const RpcStatus = component(
  'RpcStatus',
  v.object({
    code: told(v.pipe(v.number(), v.integer()), 'A `google.rpc.Code`.'),
    message: told(v.string(), 'What to do, with the first fault.'),
    details: v.optional(
      v.array(
        v.object({
          '@type': v.literal(BAD_REQUEST),
          fieldViolations: v.array(
            v.object({
              field: told(v.string(), 'The place in the body.'),
              description: told(v.string(), 'What is wrong there.'),
            }),
          ),
        }),
      ),
    ),
  }),
  'An error as clients of OTLP know it, a `google.rpc.Status`.',
)

/** An `ExportMetricsServiceResponse`; `partial_success` stays unset where nothing was rejected. */
export function exportResponse(rejectedDataPoints: number, errorMessage: string): OtlpAnswer {
  if (rejectedDataPoints === 0) return { json: {}, protobuf: new Uint8Array() }
  const protobuf = new BinaryWriter()
  protobuf.tag(1, WireType.LengthDelimited).fork()
  protobuf.tag(1, WireType.Varint).int64(rejectedDataPoints)
  protobuf.tag(2, WireType.LengthDelimited).string(errorMessage).join()
  return {
    // JSON has 64-bit integers as text.
    json: { partialSuccess: { rejectedDataPoints: String(rejectedDataPoints), errorMessage } },
    protobuf: protobuf.finish(),
  }
}

/** A `google.rpc.Status`, with a `google.rpc.BadRequest` among its details where faults can be named. */
export function rpcStatus(code: number, message: string, faults: Fault[]): OtlpAnswer {
  const fieldViolations = faults.map(({ path, message: description }) => ({ field: path, description }))
  const details = [{ '@type': BAD_REQUEST, fieldViolations } as const]
  const protobuf = new BinaryWriter()
  protobuf.tag(1, WireType.Varint).int32(code)
  protobuf.tag(2, WireType.LengthDelimited).string(message)
  if (faults.length > 0) {
    protobuf.tag(3, WireType.LengthDelimited).fork()
    protobuf.tag(1, WireType.LengthDelimited).string(BAD_REQUEST)
    protobuf.tag(2, WireType.LengthDelimited).bytes(badRequest(faults)).join()
  }
  return {
    json: { code, message, ...(faults.length > 0 && { details }) },
    protobuf: protobuf.finish(),
  }
}

function badRequest(faults: Fault[]): Uint8Array {
  const violations = new BinaryWriter()
  for (const { path, message } of faults) {
    violations.tag(1, WireType.LengthDelimited).fork()
    violations.tag(1, WireType.LengthDelimited).string(path)
    violations.tag(2, WireType.LengthDelimited).string(message).join()
  }
  return violations.finish()
}
