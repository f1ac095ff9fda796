import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Those that take long, the longest first: begun late, one would go on alone while the other cores have nothing left. */
const LONGEST = [
  'durable-objects/every-step.workerd.test.ts',
  'durable-objects/exactly-once.workerd.test.ts',
  'ml-service/score/score-due.test.ts',
  'ml-service/cli.test.ts',
  'durable-objects/cost.workerd.test.ts',
  'durable-objects/faults.workerd.test.ts',
  'e2e/outage.test.ts',
  'e2e/dashboard.test.ts',
  'e2e/lifecycle.test.ts',
  'e2e/demo.test.ts',
  'e2e/otlp.test.ts',
  'e2e/survival.test.ts',
]

/** Vitest itself knows how long files take only where they ran before, which on a fresh checkout is nowhere. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((name) => moduleId.endsWith(name))
      return index < 0 ? LONGEST.length : index
    }
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => place(a) - place(b))
  }
}
