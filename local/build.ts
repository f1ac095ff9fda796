import path from 'node:path'
import { buildDashboard } from './dashboard-build.ts'
import { bundleMl } from './ml-bundle.ts'
import { ROOT, readEnvironment } from './settings.ts'
import { bundleWorker } from './worker-bundle.ts'

/* `npm run build`: what is deployed, into dashboard/dist and dist/. Needs no network and no account. */

const DIST = path.join(ROOT, 'dist')
const tool = { environment: readEnvironment(process.env) }

// In this order: the Worker carries the dashboard as its assets.
const steps: [string, () => Promise<void>][] = [
  ['dashboard/dist', () => buildDashboard(tool)],
  ['dist/worker', () => bundleWorker(path.join(DIST, 'worker'), tool)],
  ['dist/ml-service', () => bundleMl(path.join(DIST, 'ml-service'))],
]

try {
  for (const [made, build] of steps) {
    await build()
    console.log(`built ${made}`)
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
