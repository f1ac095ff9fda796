import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { bodyOf, recipes } from '../testing/fuzz/bodies.ts'
import { Decoder } from '../testing/fuzz/decoder.ts'

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 400)
const SEED = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000_000)
const ROUNDS = 10
const NOW = Date.UTC(2026, 0, 1)
/** Between two rounds of a campaign the thread may hold this much more: caches of compiled code and shapes. */
const MAX_GROWTH_BYTES = 8 * 1024 * 1024

const decoder = new Decoder()
afterAll(() => decoder.stop())

it(`decodes ${RUNS} generated bodies or says what is wrong with them, and holds on to none`, async () => {
  console.warn(`decoders: seed ${SEED}, ${RUNS} bodies`)
  const tally = new Map<string, number>()
  const held: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    await fc.assert(
      fc.asyncProperty(recipes(NOW), async (recipe) => {
        for (const outcome of await decoder.decode(bodyOf(recipe), NOW)) {
          tally.set(outcome, (tally.get(outcome) ?? 0) + 1)
        }
      }),
      { numRuns: RUNS / ROUNDS, seed: SEED + round },
    )
    held.push(await decoder.heldBytes())
  }
  const counts = [...tally].sort().map(([outcome, count]) => `${count} ${outcome}`)
  console.warn(`decoders: ${counts.join(', ')}; held ${held.map((bytes) => bytes >> 20).join(', ')} MiB`)
  // The generator does its work: every way out is taken.
  for (const outcome of [
    'json accepted',
    'json validation_failed',
    'line-protocol accepted',
    'payload_too_large',
  ]) {
    expect(tally.get(outcome)).toBeGreaterThan(0)
  }
  expect(held.at(-1)! - held[0]!).toBeLessThan(MAX_GROWTH_BYTES)
}, 3_600_000)
