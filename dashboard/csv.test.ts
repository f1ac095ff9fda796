import { expect, it } from 'vitest'
import { csvOf } from './csv.ts'

it('csvOf() quotes what needs it, leaves numbers exact, and disarms formulas', () => {
  const rows = [
    ['a,b', 0.1 + 0.2, null],
    ['say "hi"\n', -1e-9, '=1+1'],
    ['@x', 1e21, '-2'],
  ]
  expect(csvOf(['name', 'value', 'more'], rows)).toBe(
    [
      'name,value,more',
      '"a,b",0.30000000000000004,',
      '"say ""hi""\n",-1e-9,\'=1+1',
      "'@x,1e+21,'-2",
      '',
    ].join('\r\n'),
  )
})
