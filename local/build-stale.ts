import { buildDashboard, isDashboardStale } from './dashboard-build.ts'
import type { ToolOptions } from './tool.ts'
import { bundleWorker, isBundleStale } from './worker-bundle.ts'

/** Builds the dashboard and bundles the Worker into `bundleDir`, each only if its sources are newer. */
export async function buildStale(
  bundleDir: string,
  tool: ToolOptions,
  step: (line: string) => void,
): Promise<void> {
  if (isDashboardStale()) {
    await buildDashboard(tool)
    step('The dashboard is built.')
  }
  if (isBundleStale(bundleDir)) {
    await bundleWorker(bundleDir, tool)
    step('The Worker is bundled.')
  }
}
