import { describe, expect, it } from 'vitest'
import { UnderWay } from './under-way.ts'

describe('work under way', () => {
  it('is waited for under its name alone, however it ends', async () => {
    const underWay = new UnderWay()
    const [good, bad] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
    const works = [good, bad].map(({ promise }) => underWay.during('a', () => promise))
    let ended = false
    const waiting = underWay.ended('a').then(() => {
      ended = true
    })
    await underWay.ended('b')
    good.resolve(1)
    expect(await works[0]).toBe(1)
    expect(ended).toBe(false)
    bad.reject(new Error('no'))
    await expect(works[1]).rejects.toThrow('no')
    await waiting
    await underWay.ended('a') // nothing is left to wait for
  })

  it('that starts later is not waited for', async () => {
    const underWay = new UnderWay()
    const first = Promise.withResolvers<void>()
    const running = underWay.during('a', () => first.promise)
    const waiting = underWay.ended('a')
    void underWay.during('a', () => new Promise(() => {}))
    first.resolve()
    await Promise.all([running, waiting])
  })
})
