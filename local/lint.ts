// `npm run lint`: types, rules and format.
import { runSteps, STATIC_STEPS } from './steps.ts'

process.exitCode = await runSteps(STATIC_STEPS)
