import { describe, expect, test } from 'vitest'
import { seriesSuffix } from './series-naming.ts'

describe('seriesSuffix', () => {
  test.each<[string, [string, string][], string]>([
    ['no tags', [], ''],
    [
      'tags in any order',
      [
        ['b', '2'],
        ['a', '1'],
      ],
      ',a=1,b=2',
    ],
    [
      'a tag that comes twice: the last value',
      [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
      ],
      ',a=3,b=2',
    ],
    [
      'a tag that comes twice, first with what no name holds',
      [
        ['a', 'x'.repeat(300)],
        ['a', '3'],
      ],
      ',a=3',
    ],
    ['what could pass for another tag', [['a', '1,b=2']], ',a=1\\,b\\=2'],
    ['a value of 255 code units', [['a', 'x'.repeat(255)]], `,a=${'x'.repeat(255)}`],
    [
      '63 tags',
      tags(63),
      tags(63)
        .map(([tag, value]) => `,${tag}=${value}`)
        .join(''),
    ],
  ])('%s', (_, given, suffix) => {
    expect(seriesSuffix(given)).toBe(suffix)
  })

  test.each<[string, [string, string][]]>([
    ['64 tags', tags(64)],
    ['a value of 256 code units', [['a', 'x'.repeat(256)]]],
    ['a long tag', [['x'.repeat(256), '1']]],
    [
      'tags that are long together',
      [
        ['a', 'x'.repeat(150)],
        ['b', 'x'.repeat(150)],
      ],
    ],
  ])('%s: nothing that a name can hold', (_, given) => {
    expect(seriesSuffix(given)).toBeUndefined()
  })
})

function tags(count: number): [string, string][] {
  return Array.from({ length: count }, (_, i) => [String.fromCharCode(0x4e00 + i), '1'])
}
