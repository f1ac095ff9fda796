// `npm run test:long`: every single fault between two steps around the objects, 500 pairs of them, and 3,000 runs of
// generated cases of everything that can go wrong. In rounds: the test runtime keeps something of every object.
import { runSteps, toolStep } from './steps.ts'

const ROUNDS = 6
const RUNS_A_ROUND = 500

const first = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000_000)
const rounds = Array.from({ length: ROUNDS }, (_, i) =>
  toolStep(
    `campaign ${i + 1} of ${ROUNDS}: ${RUNS_A_ROUND} runs, seed ${first + i}`,
    'vitest',
    ['run', '--project', 'workerd', 'durable-objects/exactly-once'],
    { PROPERTY_RUNS: String(RUNS_A_ROUND), PROPERTY_SEED: String(first + i) },
  ),
)
const everyStep = toolStep(
  `every fault, and 500 pairs of them, seed ${first}`,
  'vitest',
  ['run', '--project', 'workerd', 'durable-objects/every-step'],
  { PROPERTY_RUNS: '4000', PROPERTY_SEED: String(first) },
)
process.exitCode = await runSteps([everyStep, ...rounds])
if (process.exitCode === 0)
  console.log(`${ROUNDS * RUNS_A_ROUND} runs held, seeds ${first} to ${first + ROUNDS - 1}`)
