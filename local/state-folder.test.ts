import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { identify, isAlive } from './process-identity.ts'
import { claimStateFolder } from './state-folder.ts'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'edgepulse-state-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const claim = (lines: string[] = []) => claimStateFolder(dir, (line) => lines.push(line))
const writeRecord = (record: object) =>
  writeFileSync(path.join(dir, 'supervisor.json'), JSON.stringify(record))
const GONE = { pid: 999_999_999, started: 'long ago' }

function sleeper() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  return { child, identity: identify(child.pid!)! }
}

describe('claimStateFolder()', () => {
  it('refuses a folder that a living supervisor holds, and gives it after its release', async () => {
    const folder = await claim()
    await expect(claim()).rejects.toThrow(
      `Another EdgePulse (process ${process.pid}) uses the state folder ${dir}`,
    )
    folder.release()
    const next = await claim()
    expect(next.isOurs()).toBe(true)
    next.release()
    expect(existsSync(path.join(dir, 'supervisor.json'))).toBe(false)
  })

  it('ends what a killed supervisor left running', async () => {
    const { identity } = sleeper()
    writeRecord({ supervisor: GONE, parts: { ml: identity } })
    const lines: string[] = []
    await claim(lines)
    expect(isAlive(identity)).toBe(false)
    expect(lines).toEqual([`Ending ml (process ${identity.pid}), which an earlier run left behind.`])
  })

  it('spares a process that merely bears the number of an earlier child', async () => {
    const { child, identity } = sleeper()
    writeRecord({ supervisor: GONE, parts: { ml: { pid: identity.pid, started: 'another time' } } })
    await claim()
    expect(isAlive(identity)).toBe(true)
    child.kill('SIGKILL')
  })

  it('takes over a record that was cut short', async () => {
    writeFileSync(path.join(dir, 'supervisor.json'), '{"supervisor":')
    expect((await claim()).isOurs()).toBe(true)
  })

  it('knows that it lost a folder that was deleted, or taken by another', async () => {
    const folder = await claim()
    rmSync(dir, { recursive: true })
    expect(folder.isOurs()).toBe(false)
    expect(() => folder.record('ml', process.pid)).not.toThrow()
  })
})
