import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from '../local/settings.ts'
import { makePlace, type Place, processTree, run, untilGone, untilReady } from './local-stack.ts'

let place: Place

beforeAll(async () => {
  place = await makePlace()
})
afterAll(() => place.remove())

/** What a build does to the dashboard's folder: that of `npm test`, or of a second stack. */
function swapDashboard(): void {
  const dist = path.join(ROOT, 'dashboard', 'dist')
  const made = path.join(ROOT, 'dashboard', '.edgepulse-dist-swapped')
  cpSync(dist, made, { recursive: true })
  renameSync(dist, `${made}-old`)
  renameSync(made, dist)
  rmSync(`${made}-old`, { recursive: true })
}

describe('npm run dev', () => {
  it('says in dev.json where everything is, and removes it when it ends', async () => {
    const dev = run('dev', place)
    const file = await untilReady(dev, place)
    const { url, dashboard_url, admin_token, database_url, model_dir, pids } = file
    expect(Object.keys(file)).toEqual([
      'url',
      'dashboard_url',
      'admin_token',
      'database_url',
      'model_dir',
      'pids',
    ])
    expect(Object.keys(pids)).toEqual(['supervisor', 'postgres', 'worker', 'ml'])
    expect(url).toBe(`http://127.0.0.1:${place.environment['EDGEPULSE_PORT']}`)
    expect(database_url).toContain(`:${place.environment['EDGEPULSE_PG_PORT']}/`)
    expect(model_dir).toBe(path.join(place.stateDir, 'models'))
    const health = await fetch(`${url}/v1/health`)
    expect(await health.json()).toMatchObject({ status: 'ok' })
    const tenants = await fetch(`${url}/admin/tenants`, {
      headers: { authorization: `Bearer ${admin_token}` },
    })
    expect(await tenants.json()).toMatchObject({ data: [] })
    expect(await (await fetch(dashboard_url)).text()).toContain('<script')
    swapDashboard()
    expect(await (await fetch(dashboard_url)).text()).toContain('<script')

    const processes = processTree(dev.child.pid!)
    expect(processes.map(({ pid }) => pid)).toEqual(expect.arrayContaining(Object.values(pids)))
    dev.child.kill('SIGTERM')
    expect(await dev.exited, dev.output()).toBe(0)
    await untilGone(processes)
    expect(existsSync(path.join(place.stateDir, 'dev.json'))).toBe(false)
  })

  it('starts again on the same state, refuses a second supervisor there, and ends on Ctrl-C', async () => {
    const dev = run('dev', place)
    await untilReady(dev, place)
    expect(dev.output()).not.toContain('migrations')

    const second = run('dev', place)
    expect(await second.exited).toBe(1)
    expect(second.output()).toMatch(/^Another EdgePulse \(process \d+\) uses the state folder .+\n$/)

    const processes = processTree(dev.child.pid!)
    dev.child.kill('SIGINT')
    expect(await dev.exited, dev.output()).toBe(0)
    await untilGone(processes)
  })

  it('leaves nothing running when it is killed, and starts again after', async () => {
    const killed = run('dev', place)
    const { pids } = await untilReady(killed, place)
    const processes = processTree(killed.child.pid!)
    process.kill(pids.supervisor, 'SIGKILL')
    await killed.exited
    await untilGone(processes)

    const dev = run('dev', place)
    await expect.poll(dev.output, { timeout: 60_000 }).toContain('Ready')
    dev.child.kill('SIGTERM')
    expect(await dev.exited, dev.output()).toBe(0)
  })

  it('is stopped in the middle of a start without leaving a process', async () => {
    const elsewhere = await makePlace()
    const dev = run('dev', elsewhere)
    await expect
      .poll(() => existsSync(path.join(elsewhere.stateDir, 'postgres.log')), {
        timeout: 20_000,
        interval: 10,
      })
      .toBe(true)
    const processes = processTree(dev.child.pid!)
    dev.child.kill('SIGTERM')
    expect(await dev.exited, dev.output()).toBe(130)
    await untilGone(processes)
    elsewhere.remove()
  })

  it.each(['EDGEPULSE_PORT', 'EDGEPULSE_PG_PORT'])('names %s when that port is taken', async (variable) => {
    const elsewhere = await makePlace()
    const port = Number(elsewhere.environment[variable])
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve))
    const dev = run('dev', elsewhere)
    expect(await dev.exited).toBe(1)
    expect(dev.output().trim().split('\n').at(-1)).toBe(
      `Port ${port} is in use: stop what listens there, or set ${variable} to another port.`,
    )
    taken.close()
    elsewhere.remove()
  })

  it('says what happened when its state folder is deleted while it starts', async () => {
    const elsewhere = await makePlace()
    const dev = run('dev', elsewhere)
    await expect
      .poll(() => existsSync(path.join(elsewhere.stateDir, 'postgres')), { timeout: 20_000, interval: 10 })
      .toBe(true)
    const processes = processTree(dev.child.pid!)
    spawnSync('rm', ['-rf', elsewhere.stateDir]) // goes on past what is being written under its hands
    expect(await dev.exited).toBe(1)
    expect(dev.output()).toContain('was deleted while it was in use')
    await untilGone(processes)
    elsewhere.remove()
  })
})
