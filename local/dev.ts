// `npm run dev`: the stack without demo data, reloading on change.

import path from 'node:path'
import { reloadOnChange } from './reload-on-change.ts'
import { runStack } from './run-stack.ts'

process.exit(
  await runStack({
    allowPrivateWebhooks: false,
    interruptible: true,
    work: async ({ stack, stateDir, progress, signal }) => {
      reloadOnChange(stack, progress, signal)
      progress.step(`Ready: ${stack.url} (dashboard and API). Changes are reloaded; Ctrl-C stops everything.`)
      progress.step(
        `Logs: ${['worker', 'ml', 'postgres'].map((name) => path.join(stateDir, `${name}.log`)).join(', ')}`,
      )
      return undefined
    },
  }),
)
