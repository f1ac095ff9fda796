import { availableParallelism } from 'node:os'
import { cloudflareTest } from '@cloudflare/vitest-pool-workers'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './local/longest-first.ts'

const showLogs = process.env['LOGS'] === '1'

/**
 * Three levels by file name: x.test.ts (Node), x.workerd.test.ts (the Workers runtime), e2e/ (the whole
 * stack as `npm start` runs it). All share one embedded Postgres with a database a file.
 */
export default defineConfig({
  test: {
    // The JSON logs of what is under test drown what tests themselves print: figures, seeds. LOGS=1 shows them.
    onConsoleLog: (log) => showLogs || !/^\{|^\s*at |uncaught exception/.test(log),
    // A queue message that is delivered as a file of the Workers runtime ends starts to load its handler: Vitest's own
    // channel closing on that is no failure of what is tested.
    onUnhandledError: ({ message }) => {
      if (message === '[vitest-worker]: Closing rpc while "resolve" was pending') return false
    },
    globalSetup: ['./local/test-postgres.ts'],
    // Vitest would leave one core free, which is half of two.
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: ['**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.workerd.test.ts', 'e2e/**', '.edgepulse*/**'],
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: './wrangler.toml' },
            remoteBindings: false,
            miniflare: { bindings: inject('workerBindings') },
          })),
        ],
        test: {
          name: 'workerd',
          include: ['**/*.workerd.test.ts'],
          setupFiles: ['./worker/testing/flat-prototypes.ts', './worker/testing/quiet-console.ts'],
          provide: { showLogs },
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 60_000,
          maxWorkers: 2, // stacks, which mostly wait
          sequence: { groupOrder: 1 }, // and want the machine to themselves: after everything else
        },
      },
    ],
  },
})
