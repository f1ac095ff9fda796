import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { Fault } from '../../telemetry/batch-refusal.ts'

/** What an answer of OTLP/HTTP says, in both encodings that it may be asked for. */
export interface OtlpAnswer {
  json: object
  protobuf: Uint8Array<ArrayBuffer>
}

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

const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest'

/** A `google.rpc.Status`, with a `google.rpc.BadRequest` among its details where faults can be named. */
export function rpcStatus(code: number, message: string, faults: Fault[]): OtlpAnswer {
  const fieldViolations = faults.map(({ path, message: description }) => ({ field: path, description }))
  const details = [{ '@type': BAD_REQUEST, fieldViolations }]
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
