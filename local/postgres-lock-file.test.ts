import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeForeignLockFile } from './postgres-lock-file.ts'

let dir: string
let file: string

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'edgepulse-lock-'))
  file = path.join(dir, 'postmaster.pid')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('removeForeignLockFile()', () => {
  it('removes the lock of a process id that now belongs to something else', () => {
    const other = spawn('sleep', ['60'])
    writeFileSync(file, `${other.pid}\n${dir}\n`)
    removeForeignLockFile(dir)
    expect(existsSync(file)).toBe(false)
    other.kill('SIGKILL')
  })

  it('leaves the lock of a process that has gone to Postgres, which looks for its orphans', () => {
    writeFileSync(file, `999999999\n${dir}\n`)
    removeForeignLockFile(dir)
    expect(existsSync(file)).toBe(true)
  })

  it('is content without a lock', () => {
    expect(() => removeForeignLockFile(dir)).not.toThrow()
  })
})
