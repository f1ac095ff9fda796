// `npm run demo`: what `npm start` does, then the check that all of it came out right: 0, or 1 with what is missing.
import { runDemo } from './demo/run-demo.ts'
import { runStack } from './run-stack.ts'

process.exit(
  await runStack({
    allowPrivateWebhooks: true,
    interruptible: false,
    work: async (running) => {
      const faults = await runDemo(running)
      for (const fault of faults) console.error(`Missing: ${fault}.`)
      console.log(faults.length === 0 ? 'The demo is complete.' : 'The demo is not complete.')
      return faults.length === 0 ? 0 : 1
    },
  }),
)
