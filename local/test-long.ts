// `npm run test:long`: the campaigns of generated cases, 3,000 runs of everything that can go wrong around the
// objects. In short rounds: the test runtime grows slower with every object it has built, and gives up in the end.
import { runSteps, toolStep } from './steps.ts'

const ROUNDS = 60
const RUNS_A_ROUND = 50

const first = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000_000)
const rounds = Array.from({ length: ROUNDS }, (_, i) =>
  toolStep(
    `campaign ${i + 1} of ${ROUNDS}: ${RUNS_A_ROUND} runs, seed ${first + i}`,
    'vitest',
    ['run', '--project', 'workerd', 'durable-objects/exactly-once'],
    { PROPERTY_RUNS: String(RUNS_A_ROUND), PROPERTY_SEED: String(first + i) },
  ),
)
process.exitCode = await runSteps(rounds)
if (process.exitCode === 0)
  console.log(`${ROUNDS * RUNS_A_ROUND} runs held, seeds ${first} to ${first + ROUNDS - 1}`)
