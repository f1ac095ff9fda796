import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'
import type { Batch, Plan, QueueName, TenantLife } from './tenant-life.ts'

/*
 * What the pipeline does, piece by piece: each scenario is one piece, and its steps are what it does to the world.
 */

const DAY_MS = 86_400_000
const RATE_LIMIT = { datapoints_per_second: 1000, batches_per_second: 100 }
/** After this a queue's message is left to its shard. */
const LAST_ATTEMPT = 4

export interface Play {
  plan?: Plan
  before?(life: TenantLife): Promise<void>
  /** During `act`: how much may have to be replayed before a shard makes a checkpoint. */
  maxReplayBytes?: number
  /** What faults are put into. */
  act(life: TenantLife): Promise<void>
  after?(life: TenantLife): Promise<void>
  /** Whether in the end the archive knows nothing of the batches any more. */
  forgets?: boolean
}

export interface Scenario extends Play {
  name: string
  /** How many faults there are to try, at least. */
  points: number
  /** Effects that must be among those of `act`, in this order. */
  steps: string[]
}

/** Ten datapoints of a window long past, and one of a window that stays open; at times of its own. */
function batchOf(batch_id: string, device: string, now: number): Batch {
  const start = windowStartOf(now) - 10 * WINDOW_MS + (Number.parseInt(batch_id, 36) - 10) * 10_000
  const points = Array.from({ length: 10 }, (_, i): [number, number] => [start + i * 1000, i])
  return {
    ...{ batch_id, source: device },
    series: [{ device, metric: 'm', points: [...points, [start + 3 * WINDOW_MS, 7]] }],
  }
}

const send = (life: TenantLife, batchId: string, device = 'd') =>
  life.send(batchOf(batchId, device, life.now))

const refused = (status: number) => status === 400 || status === 409

async function sendAndFlush(life: TenantLife): Promise<void> {
  await send(life, 'a')
  life.pass(1_000)
  await life.ring(0)
}

const WRITE_BATCH = ['insert batches', 'insert journal', 'insert outbox']
const REGISTER = ['control.registerSeries', 'insert series']
const WRITE_FLUSH = [
  'insert flushes',
  'update usage',
  'insert checkpoints',
  'delete checkpoints',
  'insert meta',
]

const STORE_BATCHES = [
  ...['sql insert datapoints', 'sql insert devices', 'sql insert metrics', 'sql insert batches'],
  'postgres',
]
const STORE_WINDOWS = [
  ...['sql insert devices', 'sql insert metrics', 'sql insert window_aggregates', 'sql insert due_metrics'],
  ...['sql insert usage_daily', 'postgres'],
]

/** Leaves nothing to do but what the messages of one queue ask for, which the alarm has just sent again. */
async function leaveOnly(life: TenantLife, queue: QueueName): Promise<void> {
  await send(life, 'a')
  life.pass(400_000)
  await life.ring(0)
  await life.deliver(queue === 'edgepulse-batches' ? 'edgepulse-windows' : 'edgepulse-batches')
  life.loseMessages()
  life.pass(60_000)
  await life.ring(0)
}

export const SCENARIOS: Scenario[] = [
  {
    name: 'the admission of a tenant’s first batch, by one of two shards, under a rate limit',
    plan: { shards: 2, rate_limit: RATE_LIMIT },
    act: (life) => send(life, 'a'),
    points: 60,
    steps: [
      ...[
        'archive.put raw',
        'shard.admit',
        'control.registerShard',
        'insert shards',
        'insert meta',
        ...REGISTER,
      ],
      ...['control.takeTokens', 'update tenant', ...WRITE_BATCH, 'insert series', 'insert usage'],
      ...['applyAccepted', 'setAlarm', 'queue.send'],
    ],
  },
  {
    name: 'the admission of another batch, by the one shard, under a rate limit',
    plan: { rate_limit: RATE_LIMIT },
    before: (life) => send(life, 'a'),
    act: (life) => send(life, 'b', 'e'),
    points: 25,
    steps: [
      ...['archive.put raw', 'shard.admit', ...REGISTER, ...WRITE_BATCH, 'insert series', 'insert usage'],
      ...['insert meta', 'applyAccepted', 'queue.send'],
    ],
  },
  {
    name: 'an admission that flushes because much would have to be replayed',
    before: (life) => send(life, 'a'),
    maxReplayBytes: 1,
    act: (life) => send(life, 'b'),
    points: 30,
    steps: [
      ...['shard.admit', ...WRITE_BATCH, 'insert usage', 'applyAccepted', ...WRITE_FLUSH],
      ...['queue.sendBatch', 'queue.send'],
    ],
  },
  {
    name: 'a duplicate of a batch that is settled',
    before: async (life) => {
      await send(life, 'a')
      await life.settle()
    },
    act: (life) => life.send(life.accepted[0]!),
    points: 14,
    steps: ['archive.put raw', 'archive.head raw', 'shard.admit', 'insert usage'],
  },
  {
    name: 'a refusal that leaves the batch_id free',
    plan: { retention_days: 1 },
    before: (life) => send(life, 'b', 'e'),
    act: async (life) => {
      await life.send(batchOf('a', 'd', life.now - 3 * DAY_MS), refused)
      await send(life, 'a')
    },
    points: 55,
    steps: [
      ...['archive.put raw', 'shard.admit', 'insert releases', 'archive.delete raw', 'update releases'],
      ...[
        'archive.put raw',
        'shard.admit',
        ...REGISTER,
        'select releases',
        'archive.head raw',
        ...WRITE_BATCH,
      ],
      'queue.send',
    ],
  },
  {
    name: 'a flush by the alarm, which wakes the shard',
    before: async (life) => {
      await send(life, 'a')
      await life.deliver('edgepulse-batches')
      life.pass(1_000)
      await life.killAll()
    },
    act: (life) => life.ring(0),
    points: 20,
    steps: [...WRITE_FLUSH, 'queue.sendBatch', 'setAlarm'],
  },
  {
    name: 'what got lost on the queues and is sent again',
    before: async (life) => {
      await sendAndFlush(life)
      life.loseMessages()
      life.pass(60_000)
    },
    act: (life) => life.ring(0),
    points: 20,
    steps: [
      ...[
        'select outbox',
        'select flushes',
        'delete outbox',
        'insert outbox',
        'update batches',
        'update flushes',
      ],
      ...['queue.sendBatch', 'queue.sendBatch', 'setAlarm'],
    ],
  },
  {
    name: 'the consumer of windows',
    before: sendAndFlush,
    act: (life) => life.deliver('edgepulse-windows'),
    points: 14,
    steps: ['shard.flush', ...STORE_WINDOWS, 'shard.acknowledgeFlush', 'delete flushes'],
  },
  {
    name: 'the consumer of windows, at the last try of the queue, when nothing else is left to do',
    before: (life) => leaveOnly(life, 'edgepulse-windows'),
    act: (life) => life.deliver('edgepulse-windows', LAST_ATTEMPT),
    points: 14,
    steps: ['shard.flush', ...STORE_WINDOWS, 'shard.acknowledgeFlush', 'delete flushes'],
  },
  {
    name: 'the consumer of batches, at the last try of the queue, when nothing else is left to do',
    before: (life) => leaveOnly(life, 'edgepulse-batches'),
    act: (life) => life.deliver('edgepulse-batches', LAST_ATTEMPT),
    points: 20,
    steps: [
      ...['archive.get raw', 'shard.verdicts', ...STORE_BATCHES],
      ...['shard.acknowledgeBatches', 'delete outbox', 'update batches'],
    ],
  },
  {
    name: 'the consumer of batches, for two shards',
    plan: { shards: 2 },
    before: async (life) => {
      await send(life, 'a', 'd')
      await send(life, 'b', 'f')
    },
    act: (life) => life.deliver('edgepulse-batches'),
    points: 35,
    steps: [
      ...['archive.get raw', 'shard.verdicts', ...STORE_BATCHES],
      ...['shard.acknowledgeBatches', 'delete outbox', 'update batches'],
      ...['shard.acknowledgeBatches', 'delete outbox', 'update batches'],
    ],
  },
  {
    name: 'the manifests of two days',
    before: async (life) => {
      await send(life, 'a')
      life.pass(DAY_MS)
      await send(life, 'b')
    },
    act: (life) => life.seal(),
    points: 35,
    steps: [
      ...['shard.seal', ...WRITE_FLUSH, 'archive.put manifest', 'delete journal'],
      ...['archive.put manifest', 'delete journal'],
    ],
  },
  {
    name: 'the sweep that forgets batches',
    plan: { retention_days: 1 },
    before: async (life) => {
      await send(life, 'a')
      await life.settle()
      life.pass(6 * DAY_MS)
    },
    act: (life) => life.ring(0),
    forgets: true,
    after: async (life) => {
      life.pass(60_000)
      await life.ring(0)
      await life.send(life.accepted[0]!, refused)
    },
    points: 30,
    steps: [
      ...['archive.list manifest', 'archive.get manifest', 'select batches', 'control.forgetBatches'],
      ...['update tenant', 'archive.delete raw', 'delete batches', 'archive.delete manifest'],
      ...['insert meta', 'setAlarm'],
    ],
  },
]

export const WHOLE_LIFE: Play = {
  act: async (life) => {
    await send(life, 'a')
    await send(life, 'b', 'e')
    life.pass(1_000)
    await life.ring(0)
    await life.deliver('edgepulse-windows')
    await life.deliver('edgepulse-batches')
    await life.seal()
    life.pass(400_000)
    await life.ring(0)
  },
}
