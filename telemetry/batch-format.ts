import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { parseJsonBatch } from './json-batch.ts'
import { parseLineProtocol } from './line-protocol.ts'
import { Name } from './name.ts'
import { parseOtlpJson } from './otlp-json.ts'
import { parseOtlpProtobuf } from './otlp-protobuf.ts'
import type { ParsedBatch } from './parsed-batch.ts'
import { PRECISIONS } from './timestamp.ts'

export const FORMAT_NAMES = ['json', 'line-protocol', 'otlp-json', 'otlp-protobuf'] as const
export type FormatName = (typeof FORMAT_NAMES)[number]

/** How the bytes of a batch are read: all that one protocol does otherwise than another. */
export interface BatchFormat {
  name: FormatName
  /** What the meaning of the bytes depends on besides them, as a query string; kept with the archived batch. */
  params: string
  /** The content types it is sent with; '' stands for none. */
  contentTypes: readonly string[]
  /** Throws a BatchRefusal. Depends on nothing but its arguments and `params`: the consumer parses once more. */
  parse(plain: Uint8Array, receivedAt: number): ParsedBatch
}

export const jsonFormat: BatchFormat = {
  name: 'json',
  params: '',
  contentTypes: ['application/json'],
  parse: parseJsonBatch,
}

export const LineProtocolParams = v.object({
  precision: v.pipe(
    v.optional(v.picklist(PRECISIONS, `must be one of ${PRECISIONS.join(', ')}`), 'ns'),
    v.description('The unit of timestamps.'),
  ),
  device_tag: v.optional(
    v.pipe(Name, v.description('The tag that names the device; left out: `device`, else `host`.')),
  ),
})

export function lineProtocolFormat(params: v.InferOutput<typeof LineProtocolParams>): BatchFormat {
  const { precision, device_tag: deviceTag } = params
  return {
    name: 'line-protocol',
    params: new URLSearchParams({ precision, ...(deviceTag && { device_tag: deviceTag }) }).toString(),
    // Clients vary: curl says it is a form, many say nothing.
    contentTypes: ['text/plain', '', 'application/x-www-form-urlencoded', 'application/octet-stream'],
    parse: (plain, receivedAt) =>
      // Bytes that are not UTF-8 spoil the names they are in, not the batch.
      parseLineProtocol(new TextDecoder().decode(plain), { precision, deviceTag, receivedAt }),
  }
}

export const otlpJsonFormat: BatchFormat = {
  name: 'otlp-json',
  params: '',
  contentTypes: ['application/json'],
  parse: parseOtlpJson,
}

export const otlpProtobufFormat: BatchFormat = {
  name: 'otlp-protobuf',
  params: '',
  contentTypes: ['application/x-protobuf'],
  parse: parseOtlpProtobuf,
}

/** The format that an archived batch was sent in. */
export function formatOf({ format, params }: { format: FormatName; params: string }): BatchFormat {
  const fixed = [jsonFormat, otlpJsonFormat, otlpProtobufFormat].find(({ name }) => name === format)
  return (
    fixed ?? lineProtocolFormat(v.parse(LineProtocolParams, Object.fromEntries(new URLSearchParams(params))))
  )
}

/**
 * The id of a batch to which its sender gave none: of its content, so that a blind retry is a duplicate. But
 * where the time of arrival is a timestamp, the same bytes may well be the next reading: a random one then.
 */
export function ownBatchId(
  { name, params }: BatchFormat,
  { timedByArrival }: ParsedBatch,
  sha256: string,
  uuid: () => string,
): string {
  if (timedByArrival) return `random-${uuid()}`
  if (name === 'json') return `sha256-${sha256}`
  return `sha256-${createHash('sha256').update(`${name}?${params}\n${sha256}`).digest('hex')}`
}
