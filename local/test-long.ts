// `npm run test:long`: the campaigns of generated cases, longer than `npm test` has them. `-- NAME` runs one.
import { runSteps, type Step, toolStep } from './steps.ts'

const seed = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000_000)

/** One run of the tests in a file, which read from the environment how many cases to generate. */
const round = (title: string, project: string, file: string, runs: number, first = seed): Step =>
  toolStep(`${title}: ${runs} cases, seed ${first}`, 'vitest', ['run', '--project', project, file], {
    PROPERTY_RUNS: String(runs),
    PROPERTY_SEED: String(first),
  })

const CAMPAIGNS: Record<string, Step[]> = {
  // Everything that can go wrong around the objects. In rounds: the test runtime keeps something of every object.
  'exactly-once': Array.from({ length: 6 }, (_, i) =>
    round(`exactly-once ${i + 1} of 6`, 'workerd', 'durable-objects/exactly-once', 500, seed + i),
  ),
  // Each single fault between two steps around the objects, and 500 pairs of them.
  'every-step': [round('every-step', 'workerd', 'durable-objects/every-step', 4_000)],
  decoders: [round('decoders', 'node', 'worker/ingest/decoders', 50_000)],
  // Two rounds of four faults, with Postgres away for half a minute each time.
  outage: [round('outages of 30 s', 'e2e', 'e2e/outage', 2)],
  // A gateway that stops and sends again, in the time that it takes.
  silence: [round('silence of a gateway', 'e2e', 'e2e/silence', 1)],
  // Three scorers of which one is killed, then five and two with 2.5 times the metrics; half a minute each.
  'shared-work': [round('scorers at once, some killed', 'node', 'ml-service/score/share-work', 2_000)],
  requests: [round('requests, and 64 senders of 8 MiB', 'e2e', 'e2e/hostile-clients', 2_000)],
}

const [name] = process.argv.slice(2)
const steps = name === undefined ? Object.values(CAMPAIGNS).flat() : CAMPAIGNS[name]
if (steps === undefined) {
  console.error(`There is no campaign ${name}: name one of ${Object.keys(CAMPAIGNS).join(', ')}.`)
  process.exitCode = 2
} else {
  process.exitCode = await runSteps(steps)
  if (process.exitCode === 0) console.log(`${name ?? 'All campaigns'} held from seed ${seed} on.`)
}
