import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { untilAnswers } from './answers.ts'
import { startChild } from './child.ts'
import type { RunningPart } from './part.ts'
import { freePort } from './ports.ts'
import { NODE, ROOT } from './settings.ts'

export interface MlOptions {
  environment: Record<string, string>
  databaseUrl: string
  modelDir: string
  webhookSecretKey: string
  allowPrivateWebhooks: boolean
  /** Seconds between two looks for due work. */
  every: number
  logFile: string
  onSpawn(pid: number): void
}

/** Starts the ML service and waits until it answers. */
export async function startMl(options: MlOptions): Promise<RunningPart> {
  const { modelDir, allowPrivateWebhooks } = options
  if (!modelDir.includes('://')) mkdirSync(modelDir, { recursive: true })
  const port = await freePort()
  const child = await startChild({
    command: NODE,
    args: [
      ...['--import', fileURLToPath(new URL('./end-with-parent.ts', import.meta.url))],
      ...[path.join(ROOT, 'ml-service', 'cli.ts'), 'serve', '--every', String(options.every)],
    ],
    env: {
      ...options.environment,
      DATABASE_URL: options.databaseUrl,
      MODEL_DIR: modelDir,
      WEBHOOK_SECRET_KEY: options.webhookSecretKey,
      ...(allowPrivateWebhooks ? { WEBHOOK_ALLOW_PRIVATE: '1' } : {}),
      PORT: String(port),
    },
    logFile: options.logFile,
    cwd: ROOT,
    ipc: true,
  })
  options.onSpawn(child.pid)
  try {
    await untilAnswers(`http://127.0.0.1:${port}/healthz`, 'The ML service', child.exited)
  } catch (error) {
    await child.end('SIGTERM', 5_000)
    throw new Error(`${error instanceof Error ? error.message : error}; see ${options.logFile}.`, {
      cause: error,
    })
  }
  return { pid: child.pid, exited: child.exited, stop: () => child.end('SIGTERM', 15_000) }
}
