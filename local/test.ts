// `npm test`: types, lint, the dashboard's build, then every test. `--long` makes the campaigns of generated cases
// long; further arguments go to vitest. Ends with a line "N passed, N failed".
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as v from 'valibot'
import { readJson } from './atomic-file.ts'
import { runSteps, STATIC_STEPS } from './steps.ts'

const reportSchema = v.object({ numPassedTests: v.number(), numFailedTests: v.number() })

const args = process.argv.slice(2)
const isLong = args.includes('--long')
const dir = mkdtempSync(path.join(tmpdir(), 'edgepulse-report-'))
const reportFile = path.join(dir, 'report.json')
try {
  const code = runSteps([
    ...STATIC_STEPS,
    { title: 'dashboard build', tool: 'vite', args: ['build', 'dashboard', '--logLevel', 'warn'] },
    {
      title: 'tests',
      tool: 'vitest',
      args: [
        'run',
        ...['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`],
        ...args.filter((arg) => arg !== '--long'),
      ],
      ...(isLong ? { env: { EDGEPULSE_LONG: '1' } } : {}),
    },
  ])
  const report = readJson(reportFile, reportSchema)
  if (report) console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed`)
  // A file that cannot even be loaded fails no test of its own.
  process.exitCode = code
} finally {
  rmSync(dir, { recursive: true, force: true })
}
