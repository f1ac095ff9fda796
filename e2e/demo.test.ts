import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePlace, type Place, processTree, run, untilGone, untilReady } from './local-stack.ts'

let place: Place

beforeAll(async () => {
  place = await makePlace()
})
afterAll(() => place.remove())

describe('npm run demo', () => {
  it('carries real data from POST to a verified webhook, and leaves no process behind', async () => {
    const demo = run('demo', place)
    await untilReady(demo, place)
    const processes = processTree(demo.child.pid!)
    expect(await demo.exited, demo.output()).toBe(0)
    expect(demo.output()).toMatch(/accepted +29032 datapoints \(12 rejected/)
    expect(demo.output()).toMatch(/stored +29032 datapoints; usage says 29032/)
    expect(demo.output()).toMatch(/batches came again and counted once/)
    expect(demo.output()).toMatch(
      /detected +the failure of \S+ \S+ labelled .+ was detected at .+, score [1-9]/,
    )
    expect(demo.output()).toMatch(/alerts +[1-9]\d* delivered, signatures verified/)
    expect(demo.output()).toMatch(/Demo key +epk_\S{20,}/)
    expect(demo.output()).not.toMatch(/Missing|starting it again/)
    await untilGone(processes)
    expect(existsSync(path.join(place.stateDir, 'dev.json'))).toBe(false)
  })

  it('keeps the secrets of its state folder to its user', () => {
    for (const file of ['secrets.json', 'demo.json']) {
      expect(statSync(path.join(place.stateDir, file)).mode & 0o077).toBe(0)
    }
  })

  it('finds its result again on a second run, without sending anything', async () => {
    const demo = run('demo', place)
    expect(await demo.exited, demo.output()).toBe(0)
    expect(demo.output()).not.toContain('Replaying')
    expect(demo.output()).toMatch(/stored +29032 datapoints; usage says 29032/)
    expect(demo.output()).toMatch(/alerts +[1-9]\d* delivered, signatures verified/)
  })

  it('leaves windows whose aggregates are those of their datapoints', async () => {
    const start = run('start', place)
    await untilReady(start, place)
    try {
      for (const metric of ['machine-1/temperature', 'ingress-01/rate', 'ingress-05/rate']) {
        const fromDatapoints = new Map(
          (await features(metric, 'datapoints')).map((row) => [row.window_start, row]),
        )
        const fromAggregates = await features(metric, 'aggregates')
        expect(fromAggregates.length).toBeGreaterThan(900)
        for (const { mean, std, ...exact } of fromAggregates) {
          const { mean: trueMean, std: trueStd, ...expected } = fromDatapoints.get(exact.window_start)!
          expect(exact).toEqual(expected)
          expect(Math.abs(mean - trueMean)).toBeLessThanOrEqual(1e-9 * Math.abs(trueMean))
          expect(Math.abs(std - trueStd)).toBeLessThanOrEqual(1e-9 * Math.abs(trueMean))
        }
      }
    } finally {
      start.child.kill('SIGTERM')
      expect(await start.exited).toBe(0)
    }
  })
})

const featuresSchema = v.array(v.looseObject({ window_start: v.string(), mean: v.number(), std: v.number() }))

async function features(metric: string, source: string) {
  const options = ['--tenant', 'demo', '--metric', metric, '--source', source, '--format', 'json']
  const ml = run('ml', place, ['features', ...options])
  expect(await ml.exited, ml.output()).toBe(0)
  return v.parse(featuresSchema, JSON.parse(ml.output()))
}
