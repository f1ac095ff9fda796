// `npm test`: types, lint, the dashboard's build, then every test; arguments go to vitest. Ends with a line
// "N passed, N failed".
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as v from 'valibot'
import { readJson } from './atomic-file.ts'
import { DASHBOARD_STEP, runSteps, STATIC_STEPS, toolStep } from './steps.ts'

const reportSchema = v.object({ numPassedTests: v.number(), numFailedTests: v.number() })

const dir = mkdtempSync(path.join(tmpdir(), 'edgepulse-report-'))
const report = path.join(dir, 'report.json')
const vitestArgs = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
try {
  process.exitCode = await runSteps([
    ...STATIC_STEPS,
    DASHBOARD_STEP,
    // The tests start programs of ours by the dozen, which need not each be compiled again.
    toolStep('tests', 'vitest', [...vitestArgs, ...process.argv.slice(2)], {
      NODE_COMPILE_CACHE: path.join(dir, 'compiled'),
    }),
  ])
  const counts = readJson(report, reportSchema)
  if (counts) console.log(`${counts.numPassedTests} passed, ${counts.numFailedTests} failed`)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
