// `npm run test:long`: the campaigns of generated cases, 3,000 runs of everything that can go wrong around the
// objects. In rounds: the test runtime cannot build one object's class afresh much more often than one round does.
import { runSteps, toolStep } from './steps.ts'

const ROUNDS = 15
const RUNS_A_ROUND = 200

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
