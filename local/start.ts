// `npm start`: everything on this machine, with the demo's data in it, until Ctrl-C.
import { runDemo } from './demo/run-demo.ts'
import { runStack } from './run-stack.ts'

process.exit(
  await runStack({
    allowPrivateWebhooks: true,
    interruptible: true,
    work: async (running) => {
      const faults = await runDemo(running)
      for (const fault of faults) console.log(`Still missing: ${fault}.`)
      running.progress.step('Ready. Ctrl-C stops everything; the next start takes it up again.')
      return undefined
    },
  }),
)
