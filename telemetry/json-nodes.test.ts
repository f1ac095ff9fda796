import { describe, expect, it } from 'vitest'
import { BatchRefusal } from './batch-refusal.ts'
import { MAX_JSON_NODES, MAX_JSON_OBJECTS, refuseTooManyNodes } from './json-nodes.ts'

const list = (item: string, count: number) => `[${Array.from({ length: count }, () => item).join(',')}]`

describe('refuseTooManyNodes', () => {
  it.each([
    ['empty objects', list('{}', MAX_JSON_NODES / 2), list('{}', MAX_JSON_NODES / 2 + 1)],
    ['numbers in a long text', list('1000', MAX_JSON_NODES), list('1000', MAX_JSON_NODES + 1)],
    ['objects within each other', '{"a":'.repeat(MAX_JSON_OBJECTS), '{"a":'.repeat(MAX_JSON_OBJECTS + 1)],
    ['nesting', '['.repeat(MAX_JSON_NODES), '['.repeat(MAX_JSON_NODES + 1)],
  ])('lets %s pass up to the bound and refuses one more', (_, within, beyond) => {
    // Commas count in a long text only: white space makes it one.
    const long = (text: string) => text + ' '.repeat(2 * 1024 * 1024)
    expect(() => refuseTooManyNodes(long(within))).not.toThrow()
    expect(() => refuseTooManyNodes(long(beyond))).toThrow(BatchRefusal)
  })

  it('counts no braces within strings', () => {
    const text = list(`"${'{'.repeat(40)}"`, MAX_JSON_OBJECTS / 20)
    expect(() => refuseTooManyNodes(text)).not.toThrow()
  })

  it('counts no brackets and commas within strings, escaped quotes or not', () => {
    const name = `"${'[{,'.repeat(40)}\\"${',[{'.repeat(40)}\\\\"`
    const text = list(name, 20_000)
    expect(text.match(/[[{,]/g)!.length).toBeGreaterThan(MAX_JSON_NODES)
    expect(() => refuseTooManyNodes(text)).not.toThrow()
  })

  it('lets the largest batch pass, with as many unknown fields as it has of its own', () => {
    const datapoint = `{"device":"d","metric":"m","ts":1,"value":2,"unit":"C","a":1,"b":2,"c":[1],"d":3}`
    expect(() => refuseTooManyNodes(`{"datapoints":${list(datapoint, 50_000)}}`)).not.toThrow()
  })
})
