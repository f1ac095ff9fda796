import { fileURLToPath } from 'node:url'
import * as v from 'valibot'
import { untilAnswers } from './answers.ts'
import { type Child, endWithThisProcess, startChild } from './child.ts'
import type { RunningPart } from './part.ts'
import { endLeftover, identify, type ProcessIdentity } from './process-identity.ts'
import { QUIET_TOOLS } from './quiet-tools.ts'
import { NODE } from './settings.ts'
import { type RunnerOptions, runnerMessageSchema } from './worker-runner-options.ts'

export interface WorkerOptions {
  runner: RunnerOptions
  environment: Record<string, string>
  logFile: string
  /** Called for every process that runs from now on: the runner's and the runtime's. */
  onSpawn(name: 'worker' | 'worker-runner', pid: number): void
}

/** Starts the Worker in the Workers runtime and waits until it answers. */
export async function startWorker(options: WorkerOptions): Promise<RunningPart> {
  const { environment, logFile, onSpawn } = options
  const runner = await startChild({
    command: NODE,
    args: [fileURLToPath(new URL('./worker-runner.ts', import.meta.url))],
    // wrangler looks for the secrets that wrangler.toml requires in the environment.
    env: { ...environment, ...QUIET_TOOLS, ...options.runner.bindings },
    logFile,
    ipc: true,
  })
  onSpawn('worker-runner', runner.pid)
  const workerd = awaitWorkerd(runner, (pid) => onSpawn('worker', pid))
  const exited = runner.exited.then(async (outcome) => {
    await workerd.end()
    return outcome
  })
  runner.process.send(options.runner)
  try {
    await untilAnswers(`http://127.0.0.1:${options.runner.port}/v1/health`, 'The Worker', exited)
  } catch (error) {
    await runner.end('SIGTERM', 5_000)
    throw new Error(`${error instanceof Error ? error.message : error}; see ${logFile}.`, { cause: error })
  }
  return {
    pid: workerd.pid() ?? runner.pid,
    exited,
    stop: async () => {
      await runner.end('SIGTERM', 10_000)
      await exited
    },
  }
}

/** Learns the runtime's process from the runner, and sees to it that a killed runner does not leave it behind. */
function awaitWorkerd(runner: Child, onSpawn: (pid: number) => void) {
  let identity: ProcessIdentity | undefined
  let callOff = () => {}
  runner.process.on('message', (message) => {
    const { pid } = v.parse(runnerMessageSchema, message)
    identity = identify(pid)
    callOff = endWithThisProcess(pid, 'SIGKILL')
    onSpawn(pid)
  })
  return {
    pid: () => identity?.pid,
    end: async () => {
      callOff()
      if (identity) await endLeftover(identity, 'SIGKILL', 5_000)
    },
  }
}
