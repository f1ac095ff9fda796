import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, renameSync, statSync } from 'node:fs'
import { Socket } from 'node:net'
import path from 'node:path'

/** A log that has grown past this is put aside when its program is next started. */
const LOG_LIMIT_BYTES = 16 * 1024 * 1024

export interface ChildOptions {
  command: string
  args: string[]
  env: Record<string, string>
  /** Takes stdout and stderr, appended. */
  logFile: string
  cwd?: string
  uid?: number
  gid?: number
  /** Also open a channel: the child can tell when this process has died, and both can send messages. */
  ipc?: boolean
}

export interface Child {
  pid: number
  process: ChildProcess
  /** Resolves with how it ended ("ended with code 1", "was ended by SIGKILL"), whoever ended it. */
  exited: Promise<string>
  /** Sends `signal`, and SIGKILL when it has not gone within `graceMs`; resolves when it has. */
  end(signal: NodeJS.Signals, graceMs: number): Promise<void>
}

/**
 * Starts a program in a session of its own, so that Ctrl-C in the terminal reaches only the supervisor, which
 * then ends its children in order.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { command, args, logFile, ipc = false, ...rest } = options
  if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT_BYTES)
    renameSync(logFile, `${logFile}.old`)
  const log = openSync(logFile, 'a', 0o600)
  const child = spawn(command, args, {
    ...rest,
    detached: true,
    stdio: ['ignore', log, log, ...(ipc ? (['ipc'] as const) : [])],
  })
  closeSync(log)
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`),
    )
  })
  await new Promise<void>((resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`Cannot start ${path.basename(command)}.`, { cause })))
    child.once('spawn', resolve)
  })
  child.on('error', () => {}) // a signal or message to a child that has just gone
  return {
    pid: child.pid ?? 0,
    process: child,
    exited,
    end: (signal, graceMs) => end(child, exited, signal, graceMs),
  }
}

async function end(child: ChildProcess, exited: Promise<string>, signal: NodeJS.Signals, graceMs: number) {
  child.kill(signal)
  const lastResort = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await exited
  clearTimeout(lastResort)
}

/**
 * Sends `signal` to `pid` (negative: its whole group) once this process has gone, however it went: for programs that cannot notice by
 * themselves. The shell waits on a pipe whose other end only this process holds. Returns how to call it off.
 */
export function endWithThisProcess(pid: number, signal: NodeJS.Signals): () => void {
  const shell = spawn('/bin/sh', ['-c', `read _; kill -s ${signal.slice(3)} -- ${pid} 2>/dev/null`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.on('error', () => {}) // without a shell the next start ends what is left
  shell.unref()
  if (shell.stdin instanceof Socket) shell.stdin.unref()
  return () => shell.kill('SIGKILL')
}
