import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { issuePath } from './issue-path.ts'

const Schema = v.object({
  scopes: v.array(v.picklist(['read'])),
  series: v.array(v.object({ points: v.array(v.tuple([v.number(), v.number()])) })),
  plan: v.object({ rate: v.number() }),
})
const pathsOf = (input: unknown) => v.safeParse(Schema, input).issues?.map(issuePath)

describe('the path of an issue', () => {
  it('has indexes in brackets and names behind dots', () => {
    const input = {
      scopes: ['read', 'root'],
      series: [
        {
          points: [
            [1, 2],
            [1, 'x'],
          ],
        },
      ],
      plan: { rate: 'x' },
    }
    expect(pathsOf(input)).toEqual(['scopes[1]', 'series[0].points[1][1]', 'plan.rate'])
  })

  it('is empty for the whole value', () => {
    expect(pathsOf(7)).toEqual([''])
  })
})
