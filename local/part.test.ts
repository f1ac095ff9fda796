import { describe, expect, it, vi } from 'vitest'
import { keepRunning, type RunningPart, restartDelayMs } from './part.ts'

/** Processes that end when the test says so. */
function fakeProcesses() {
  const running: { die(outcome: string): void }[] = []
  const start = async (): Promise<RunningPart> => {
    const { promise: exited, resolve: die } = Promise.withResolvers<string>()
    running.push({ die })
    return { pid: running.length, exited, stop: async () => die('was stopped') }
  }
  return { running, start }
}

function keep(start: () => Promise<RunningPart>, mayRestart = () => true) {
  const lines: string[] = []
  const onRestart = vi.fn()
  const part = keepRunning({
    title: 'The part',
    start,
    log: (line) => lines.push(line),
    onRestart,
    mayRestart,
  })
  return { part, lines, onRestart }
}

describe('keepRunning()', () => {
  it('starts a part again when it dies, and says so', async () => {
    const { running, start } = fakeProcesses()
    const { part: starting, lines, onRestart } = keep(start)
    const part = await starting
    expect(part.pid()).toBe(1)
    running[0]!.die('was ended by SIGKILL')
    await vi.waitFor(() => expect(onRestart).toHaveBeenCalledOnce())
    expect(part.pid()).toBe(2)
    expect(lines).toEqual([
      'The part was ended by SIGKILL; starting it again.',
      'The part is back (process 2).',
    ])
    await part.stop()
  })

  it('tries again when a new start fails', async () => {
    const { running, start } = fakeProcesses()
    let starts = 0
    const {
      part: starting,
      lines,
      onRestart,
    } = keep(async () => {
      starts += 1
      if (starts === 2) throw new Error('the port is taken')
      return start()
    })
    const part = await starting
    running[0]!.die('ended with code 1')
    await vi.waitFor(() => expect(onRestart).toHaveBeenCalledOnce(), { timeout: 5_000 })
    expect(lines[1]).toBe('The part did not start again: the port is taken')
    await part.stop()
  })

  it('does not start again what it was told to stop', async () => {
    const { running, start } = fakeProcesses()
    const { part, lines } = keep(start)
    await (await part).stop()
    expect(running).toHaveLength(1)
    expect(lines).toEqual([])
  })

  it('reloads without calling it a death', async () => {
    const { running, start } = fakeProcesses()
    const { part: starting, lines } = keep(start)
    const part = await starting
    await part.reload()
    expect(running).toHaveLength(2)
    expect(lines).toEqual([])
    await part.stop()
  })

  it('leaves a part down when there is nothing left to run on', async () => {
    const { running, start } = fakeProcesses()
    const { part: starting } = keep(start, () => false)
    const part = await starting
    running[0]!.die('ended with code 1')
    await part.stop()
    expect(running).toHaveLength(1)
  })

  it('passes on that the very first start failed', async () => {
    const { part } = keep(() => Promise.reject(new Error('no such program')))
    await expect(part).rejects.toThrow('no such program')
  })
})

describe('restartDelayMs()', () => {
  it('restarts at once, then waits ever longer up to 15 s', () => {
    expect([0, 1, 2, 3, 6, 100].map(restartDelayMs)).toEqual([0, 500, 1000, 2000, 15_000, 15_000])
  })
})
