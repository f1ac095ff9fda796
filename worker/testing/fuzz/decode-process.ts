// A process that decodes the bodies it is sent: one that hangs or needs more memory than an isolate has ends it, and
// nothing else.
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  jsonFormat,
  lineProtocolFormat,
  otlpJsonFormat,
  otlpProtobufFormat,
} from '../../../telemetry/batch-format.ts'
import { BatchRefusal, MAX_FAULTS } from '../../../telemetry/batch-refusal.ts'
import { isName } from '../../../telemetry/name.ts'
import { MAX_DATAPOINTS, type ParsedBatch } from '../../../telemetry/parsed-batch.ts'
import { inflate } from '../../ingest/read-body.ts'
import { judgeBatch } from '../../ingest/verdict.ts'
import { Problem } from '../../problem.ts'
import type { DecodeReply, DecodeRequest } from './decoder.ts'

/** Every way in which the bytes of a body are read. */
const FORMATS = [
  ...[jsonFormat, otlpJsonFormat, otlpProtobufFormat],
  lineProtocolFormat({ precision: 'ms', device_tag: undefined }),
]

process.on('message', async (request: DecodeRequest) => {
  process.send!(request === 'measure' ? await measure() : await decode(request))
})

/** Decodes a body in every format. Anything but a batch in order or a refusal with a reason is a fault. */
async function decode({ bytes, gzip, now }: Exclude<DecodeRequest, 'measure'>): Promise<DecodeReply> {
  const outcomes: string[] = []
  try {
    const plain = gzip ? await refusalOr(() => inflate(bytes)) : bytes
    if (typeof plain === 'string') return { outcomes: [plain] }
    for (const format of FORMATS) {
      const outcome = await refusalOr(() => checkBatch(format.parse(plain, now), now))
      outcomes.push(`${format.name} ${outcome}`)
    }
    if (Reflect.ownKeys(Object.prototype).length !== OWN_KEYS) throw new Error('Object.prototype has changed')
    return { outcomes }
  } catch (error) {
    return { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

const OWN_KEYS = Reflect.ownKeys(Object.prototype).length

async function refusalOr<T>(work: () => T | Promise<T>): Promise<T | string> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Problem) return error.code
    if (!(error instanceof BatchRefusal)) throw error
    if (error.faults.length > MAX_FAULTS) throw new Error(`${error.faults.length} faults are told`)
    return error.code
  }
}

/** A batch in order, in body order and as columns. */
function checkBatch(batch: ParsedBatch, now: number): string {
  const { ts, values, seriesOf, names } = batch
  const valueless = new Set([...batch.nulls, ...(batch.unstorable ?? []).map(({ ordinal }) => ordinal)])
  check(
    ts.length <= MAX_DATAPOINTS && values.length === ts.length && seriesOf.length === ts.length,
    'lengths',
  )
  check(
    names.every(({ device, metric, unit }) => [device, metric, unit ?? 'none'].every(isName)),
    'names',
  )
  for (let i = 0; i < ts.length; i += 1) {
    check(batch.pathOf(i) !== '' || i > 20, 'a path')
    if (!valueless.has(i)) check(isSound(ts[i]!, values[i]!) && seriesOf[i]! in names, `datapoint ${i}`)
  }
  const { columns, rejected } = judgeBatch(batch, now)
  check(columns.offsets.length === columns.series.length + 1, 'offsets')
  check(columns.ts.length + rejected.length === ts.length, 'the count')
  check(
    columns.ts.every((each) => each >= YEAR_2000_MS && each <= now + 600_000),
    'the range of time',
  )
  for (let s = 0; s < columns.series.length; s += 1) {
    for (let i = columns.offsets[s]! + 1; i < columns.offsets[s + 1]!; i += 1) {
      check(columns.ts[i]! > columns.ts[i - 1]!, `the order of ${s}`)
    }
  }
  return columns.ts.length > 0 ? 'accepted' : 'nothing accepted'
}

const YEAR_2000_MS = Date.UTC(2000, 0, 1)
const isSound = (ts: number, value: number) => Number.isInteger(ts) && Number.isFinite(value)

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`The batch is not in order: ${what}.`)
}

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

async function measure(): Promise<DecodeReply> {
  // Twice: the first finds the buffers that nobody has, which are then freed in the background.
  for (let i = 0; i < 2; i += 1) {
    collectGarbage()
    await setImmediate()
  }
  const { heapUsed, external } = process.memoryUsage()
  return { heldBytes: heapUsed + external }
}
