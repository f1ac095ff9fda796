import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { accountsFor, accountsOf } from '../worker/testing/accounts.ts'
import { type Play, SCENARIOS, WHOLE_LIFE } from '../worker/testing/scenarios.ts'
import { TenantLife } from '../worker/testing/tenant-life.ts'
import {
  type Effect,
  type Fault,
  faultsOf,
  MISHAPS,
  memory,
  unwatchEffects,
  watchEffects,
  withFaults,
} from './testing/effects.ts'

/*
 * Between any two effects of what the pipeline does one thing goes wrong: an effect fails, or its answer gets lost, or
 * all objects at work die and have only their storage afterwards. Once everything has settled, all that was accepted
 * is counted, stored, aggregated and listed once, and nothing is left behind. The effects are not written down here:
 * they are found by a run in which nothing goes wrong, so that none can be forgotten.
 */

const RUNS = Number(Reflect.get(env, 'PROPERTY_RUNS'))
const SEED = Number(Reflect.get(env, 'PROPERTY_SEED'))
/** Longer campaigns than that of `npm test` try every death there is. */
const THOROUGH = RUNS > 200
const PAIRS = Math.ceil(RUNS / 8)
const MAX_REPLAY_BYTES = 8_000_000

const shardState = vi.hoisted(() => ({ maxReplayBytes: 0, applying: <T>(apply: () => T) => apply() }))
vi.mock('./shard-state.ts', async (original) => {
  const real = await original<typeof import('./shard-state.ts')>()
  const applyAccepted = (...args: Parameters<typeof real.applyAccepted>) =>
    shardState.applying(() => real.applyAccepted(...args))
  const maxReplayBytes = { get: () => shardState.maxReplayBytes }
  return Object.defineProperty({ ...real, applyAccepted }, 'MAX_REPLAY_BYTES', maxReplayBytes)
})

let life: TenantLife | undefined

beforeAll(async () => {
  const platform = { now: () => life?.now ?? 0, hold: (body: unknown) => life?.hold(body) }
  const any = env.TENANT_CONTROL.getByName('any')
  await runInDurableObject(any, (_, state) => watchEffects(state, platform))
  shardState.applying = (apply) => memory('applyAccepted', apply)
})

afterAll(unwatchEffects)

/** Plays to the end; afterwards everything must have happened once. Returns the effects of `act`. */
async function play(
  { plan, before, act, after, forgets, ...bound }: Play,
  faults: Fault[] = [],
): Promise<Effect[]> {
  const played = await TenantLife.begin(plan)
  life = played
  shardState.maxReplayBytes = MAX_REPLAY_BYTES
  await before?.(played)
  shardState.maxReplayBytes = bound.maxReplayBytes ?? MAX_REPLAY_BYTES
  const effects = await withFaults(played.shards, faults, () => act(played))
  await played.settle()
  await after?.(played)
  await played.killAll()
  const accounts = await accountsOf(played.tenant)
  const { duplicates } = accounts
  expect(accounts).toEqual({
    ...accountsFor(played.accepted),
    ...{ duplicates, billedDuplicates: duplicates },
    ...(forgets && { manifested: [] }),
  })
  expect(duplicates).toBeGreaterThanOrEqual(played.duplicates.heard)
  expect(duplicates).toBeLessThanOrEqual(played.duplicates.possible)
  return effects
}

/** Those of `steps` that are found among the effects, each behind the one before. */
function inOrder(steps: string[], effects: Effect[]): string[] {
  let next = 0
  for (const { name } of effects) if (name === steps[next]) next += 1
  return steps.slice(0, next)
}

const byName = SCENARIOS.map((scenario) => [scenario.name, scenario] as const)

it.each(byName)(
  'nothing is lost or doubled by any fault in %s',
  async (name, scenario) => {
    const { steps, points } = scenario
    const effects = await play(scenario)
    expect(inOrder(steps, effects)).toEqual(steps)
    const faults = faultsOf(effects, THOROUGH)
    expect(faults.length).toBeGreaterThanOrEqual(points)
    console.warn(`every step: ${faults.length} faults at the ${effects.length} effects of ${name}`)
    for (const fault of faults) {
      const { at, mishap } = fault
      const reached = await play(scenario, [fault]).catch((cause) => {
        throw new Error(`effect ${at}, ${effects[at]?.name ?? 'the end'}, ${mishap}`, { cause })
      })
      expect(reached.length).toBeGreaterThanOrEqual(Math.min(at + 1, effects.length))
    }
  },
  600_000,
)

it(`nothing is lost or doubled by ${PAIRS} pairs of faults in the whole life of two batches`, async () => {
  const effects = await play(WHOLE_LIFE)
  console.warn(`every step: seed ${SEED}, ${PAIRS} pairs of faults at ${effects.length} effects`)
  const mishap = fc.constantFrom(...MISHAPS)
  const first = fc.record({ at: fc.nat(effects.length - 1), mishap })
  const second = fc.record({ gap: fc.integer({ min: 1, max: 30 }), mishap })
  await fc.assert(
    fc.asyncProperty(first, second, async (one, { gap, mishap }) => {
      await play(WHOLE_LIFE, [one, { at: one.at + gap, mishap }])
    }),
    { numRuns: PAIRS, seed: SEED },
  )
}, 3_600_000)
