import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { AsyncLocalStorage } from 'node:async_hooks'
import { CUT, raise, type SqlRequest } from '../../worker/testing/postgres-faults.ts'
import { TenantControl } from '../tenant-control.ts'
import { TenantShard } from '../tenant-shard.ts'

/*
 * All that the pipeline does to the world, one effect after the other, so that a test can let each of them go
 * wrong: the objects' statements and alarms, calls between Worker and objects, archive, queues, Postgres.
 */

/** What can become of an effect. Whoever dies loses its memory, and of the storage what its turn had written. */
export const MISHAPS = ['fails', 'is not heard of', 'comes after a death', 'comes before a death'] as const
export type Mishap = (typeof MISHAPS)[number]

export interface Effect {
  name: string
  /** A statement of an object, a change of its memory, anything else it does, or what is done outside; one of Postgres. */
  place: 'statement' | 'memory' | 'object' | 'outside' | 'postgres'
}

export interface Fault {
  /** Index of the effect. */
  at: number
  mishap: Mishap
}

/** What the test does in the platform's stead. */
export interface Platform {
  now(): number
  /** Takes a message for its queue. */
  hold(body: unknown): void
}

/** The test runtime prints what nobody catches, these words apart; there would be a thousand pages of it. */
const UNPRINTED = 'disconnected: operation canceled'

/** The work under watch, if any. */
let watched: { effects: Effect[]; faults: Fault[]; shards: string[] } | undefined

/** The object in which code runs. */
const home = new AsyncLocalStorage<DurableObjectState>()
/** Names of objects that run, as far as is known: to kill another would be to wake it first. */
const running = new Set<string>()

/**
 * Every single fault that makes a difference. Within a turn one death is as good as another, since all of it is
 * undone, and a read that fails as good as what comes after it: `thorough` has them all the same.
 */
export function faultsOf(effects: Effect[], thorough: boolean): Fault[] {
  const single = effects.flatMap(({ name, place }, at) => {
    const [before, after] = [effects[at - 1]?.place, effects[at + 1]?.place]
    const amid = !thorough && before === 'statement' && after === 'statement'
    const mishaps = MISHAPS.filter((mishap) => {
      if (place === 'postgres') return !mishap.endsWith('a death')
      if (place !== 'statement') return place === 'object' || mishap !== 'comes before a death'
      return mishap === 'fails'
        ? !(amid && name.startsWith('select'))
        : mishap === 'comes after a death' && !amid
    })
    return mishaps.map((mishap) => ({ at, mishap }))
  })
  return [...single, { at: effects.length, mishap: 'comes after a death' }]
}

/** Does some work with these faults, whose deaths are those of `shards`; returns the effects that it had. */
export async function withFaults(
  shards: string[],
  faults: Fault[],
  work: () => Promise<void>,
): Promise<Effect[]> {
  const effects: Effect[] = []
  watched = { effects, faults, shards }
  try {
    await work()
    if (faults.some(({ at }) => at === effects.length)) await die()
  } finally {
    watched = undefined
  }
  return effects
}

function note(name: string, place: Effect['place']): Mishap | undefined {
  if (watched === undefined) return undefined
  const at = watched.effects.push({ name, place }) - 1
  return watched.faults.find((fault) => fault.at === at)?.mishap
}

/** Lets something happen that a test can prevent, or of which it can lose the answer or the listener. */
async function effect(name: string, work: () => unknown): Promise<unknown> {
  const mishap = note(name, home.getStore() === undefined ? 'outside' : 'object')
  if (mishap === 'fails') throw new Error(`${UNPRINTED}, ${name} failed`)
  if (mishap === 'comes after a death') await die()
  const result = await work()
  if (mishap === 'comes before a death') await die()
  if (mishap === 'is not heard of') throw new Error(`${UNPRINTED}, the answer of ${name} got lost`)
  return result
}

function statement(text: string, run: () => unknown): unknown {
  if (home.getStore() === undefined) return run() // an object that is being built reads its storage
  return step(verbAndTable(text), 'statement', run)
}

function verbAndTable(text: string): string {
  const [verb] = text.trim().split(' ')
  const [, table] = /\b(?:into|from|update)\s+(\w+)/.exec(text) ?? []
  return `${verb} ${table}`
}

/** A transaction goes to Postgres as one request; each of its statements can fail there, or lose the connection. */
function transaction(init: { body: string }, run: (init: { body: string }) => unknown): unknown {
  const request: SqlRequest = JSON.parse(init.body)
  const queries = request.queries?.flatMap((query) => {
    const mishap = note(`sql ${verbAndTable(query.query)}`, 'postgres')
    if (mishap === 'fails') return [raise('40001'), query]
    return mishap === 'is not heard of' ? [query, CUT] : [query]
  })
  return effect('postgres', () => run({ ...init, body: JSON.stringify({ ...request, queries }) }))
}

/** A change of an object's memory: it can fail, half done or not. */
export const memory = <T>(name: string, change: () => T): T => step(name, 'memory', change)

function step<T>(name: string, place: Effect['place'], run: () => T): T {
  const mishap = note(name, place)
  if (mishap === undefined) return run()
  if (mishap.endsWith('a death')) abort(home.getStore())
  if (mishap === 'is not heard of' && place === 'memory') run() // of a statement nothing can get lost
  throw new Error(`${UNPRINTED}, ${name} failed`)
}

/** The shards die, and the object this runs in, whose code ends here; what they wrote before is durable. */
async function die(): Promise<void> {
  const state = home.getStore()
  const others = watched?.shards.filter((name) => name !== state?.id.name) ?? []
  await Promise.all(others.map(kill))
  if (state === undefined) return
  await state.storage.sync()
  abort(state)
}

/** Takes an object's memory, whatever it is about: `evictDurableObject` waits for its calls, and for ever after an error. */
export async function kill(name: string): Promise<void> {
  if (!running.has(name)) return
  const stub = (name.includes('/') ? env.TENANT_SHARD : env.TENANT_CONTROL).getByName(name)
  await runInDurableObject(stub, (_, state) => abort(state)).catch(() => {})
}

function abort(state: DurableObjectState | undefined): never {
  running.delete(state?.id.name ?? '')
  state?.abort(`${UNPRINTED}, killed by a test`)
  throw new Error('abort() has returned')
}

function within(state: DurableObjectState, work: () => unknown): unknown {
  running.add(state.id.name ?? '')
  return home.run(state, work)
}

const SHARD_CALLS = [
  'admit',
  'contest',
  'verdicts',
  'acknowledgeBatches',
  'flush',
  'acknowledgeFlush',
  'seal',
]
const CONTROL_CALLS = [
  'describe',
  'authorize',
  'registerShard',
  'registerSeries',
  'takeTokens',
  'forgetBatches',
  'seal',
]
const ARCHIVE_CALLS = ['put', 'get', 'head', 'delete', 'list']

/** Makes all of it effects, until `unwatchEffects`; queues and clock are those of `platform`. `state`: any object's. */
export function watchEffects(state: DurableObjectState, platform: Platform): void {
  for (const call of SHARD_CALLS) watchCall(TenantShard, call, `shard.${call}`)
  for (const call of CONTROL_CALLS) watchCall(TenantControl, call, `control.${call}`)
  around(TenantShard.prototype, 'alarm', ({ self, run }) => within(stateOf(self), run))
  around<DurableObjectState, [() => unknown]>(
    Object.getPrototypeOf(state),
    'blockConcurrencyWhile',
    ({ self, args: [work], run }) => run(() => within(self, work)),
  )
  const { storage } = state
  around(Object.getPrototypeOf(storage), 'setAlarm', ({ run }) => effect('setAlarm', run))
  around<object, [string]>(Object.getPrototypeOf(storage.sql), 'exec', ({ args, run }) =>
    statement(args[0], run),
  )
  watchBindings(platform)
  around<object, [string, { body: string }]>(globalThis, 'fetch', ({ args: [url, init], run }) =>
    transaction(init, (instead) => run(url, instead)),
  )
  around(Date, 'now', () => platform.now())
}

function watchBindings({ hold }: Platform): void {
  for (const call of ARCHIVE_CALLS) {
    around<object, [string | string[] | R2ListOptions]>(
      Object.getPrototypeOf(env.ARCHIVE),
      call,
      ({ args: [of], run }) => effect(`archive.${call} ${folderOf(of)}`, run),
    )
  }
  const queue = Object.getPrototypeOf(env.BATCHES)
  around(queue, 'send', ({ args: [body] }) => effect('queue.send', () => hold(body)))
  around<object, [{ body: unknown }[]]>(queue, 'sendBatch', ({ args: [messages] }) =>
    effect('queue.sendBatch', () => {
      for (const { body } of messages) hold(body)
    }),
  )
}

function folderOf(of: string | string[] | R2ListOptions): string | undefined {
  const key = typeof of === 'string' ? of : Array.isArray(of) ? of[0] : of.prefix
  return key?.split('/')[0]
}

/** A call of an object's method: it can get lost on its way there, its answer on the way back. */
function watchCall(object: { prototype: object }, method: string, name: string): void {
  around(object.prototype, method, ({ self, run }) => within(stateOf(self), () => effect(name, run)))
}

const stateOf = (object: object): DurableObjectState => Reflect.get(object, 'ctx')

interface Call<Self, Args extends unknown[]> {
  self: Self
  args: Args
  /** Makes the call as it was meant, or with other arguments. */
  run(...args: Args | []): unknown
}

/** Puts back what `around` has replaced. */
const undo: (() => void)[] = []

export function unwatchEffects(): void {
  for (const step of undo.splice(0).reverse()) step()
}

/** A spy of vitest's would keep every call, and with it the answers that hold on to the runtime's memory. */
function around<Self extends object, Args extends unknown[]>(
  target: object,
  method: string,
  instead: (call: Call<Self, Args>) => unknown,
): void {
  const real = Reflect.get(target, method)
  const own = Object.getOwnPropertyDescriptor(target, method)
  Object.defineProperty(target, method, {
    configurable: true,
    writable: true,
    value(this: Self, ...args: Args) {
      const run = (...others: Args | []) => real.apply(this, others.length > 0 ? others : args)
      return instead({ self: this, args, run })
    },
  })
  undo.push(() => {
    if (own === undefined) Reflect.deleteProperty(target, method)
    else Object.defineProperty(target, method, own)
  })
}
