import { existsSync } from 'node:fs'
import { cp, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { isStale } from './newest-change.ts'
import { ROOT } from './settings.ts'
import { runTool, type ToolOptions } from './tool.ts'

const DASHBOARD = path.join(ROOT, 'dashboard')
const DIST = path.join(DASHBOARD, 'dist')

export const isDashboardStale = () =>
  isStale(path.join(DIST, 'index.html'), [DASHBOARD, path.join(ROOT, 'package-lock.json')])

/** Builds dashboard/dist beside the old one and swaps the two, so that a stack that copies it never sees half. */
export async function buildDashboard(options: ToolOptions): Promise<void> {
  const made = path.join(DASHBOARD, `.edgepulse-dist-${process.pid}`)
  const old = `${made}-old`
  try {
    await runTool('vite', ['build', 'dashboard', '--outDir', made, '--logLevel', 'warn'], options)
    await swap(made, old).catch(() => swap(made, old)) // another build may have come between the two renames
  } finally {
    for (const place of [made, old]) await rm(place, { recursive: true, force: true })
  }
}

async function swap(made: string, old: string): Promise<void> {
  await rm(old, { recursive: true, force: true })
  if (existsSync(DIST)) await rename(DIST, old)
  await rename(made, DIST)
}

/**
 * Copies the built dashboard to `place`, for one stack to serve: the runtime holds on to the folder that it has opened
 * and to its list of files, and the next build, of whatever command, takes both away.
 */
export async function copyDashboard(place: string): Promise<void> {
  const copy = async () => {
    await rm(place, { recursive: true, force: true })
    await cp(DIST, place, { recursive: true })
  }
  await copy().catch(copy) // a build may have come in between
}
