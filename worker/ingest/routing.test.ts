import { describe, expect, it } from 'vitest'
import { homeShardOf } from './home-shard.ts'
import { ShardHint } from './shard-hint.ts'

const named = (...devices: string[]) => devices.map((device) => ({ device, metric: 'm', unit: null }))

describe('the home shard of a batch', () => {
  it('is that of its source, whatever devices it carries', () => {
    const shards = ['a', 'b', 'c'].map((device) => homeShardOf({ source: 'gw', names: named(device) }, 16))
    expect(new Set(shards).size).toBe(1)
  })

  it('is that of its smallest device where no source is named, in whatever order they come', () => {
    const one = homeShardOf({ source: undefined, names: named('b', 'a', 'c') }, 16)
    expect(homeShardOf({ source: undefined, names: named('c', 'b', 'a') }, 16)).toBe(one)
    expect(homeShardOf({ source: 'a', names: named('z') }, 16)).toBe(one)
  })

  it('spreads gateways over all shards', () => {
    const shards = Array.from({ length: 400 }, (_, i) => homeShardOf({ source: `gw-${i}`, names: [] }, 8))
    const counts = Map.groupBy(shards, (shard) => shard)
    expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    for (const each of counts.values()) expect(each.length).toBeGreaterThan(20)
  })
})

describe('a shard hint', () => {
  it('is believed for ten seconds and renewed by every answer', () => {
    const hint = new ShardHint()
    expect(hint.get('t', 0)).toBeUndefined()
    hint.set('t', 4, 0)
    expect(hint.get('t', 9_999)).toBe(4)
    expect(hint.get('t', 10_000)).toBeUndefined()
    hint.set('t', 8, 10_000)
    expect(hint.get('t', 15_000)).toBe(8)
  })

  it('holds a bounded number of tenants', () => {
    const hint = new ShardHint()
    for (let i = 0; i < 10_001; i += 1) hint.set(`t-${i}`, 2, 0)
    expect(hint.get('t-0', 1)).toBeUndefined()
    expect(hint.get('t-10000', 1)).toBe(2)
  })
})
