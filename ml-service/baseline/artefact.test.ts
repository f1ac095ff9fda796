import { describe, expect, it } from 'vitest'
import { featuresOfValues } from '../../telemetry/window-features.ts'
import { seededRandom, WINDOW } from '../testing/synthetic.ts'
import { type Artefact, decodeArtefact, encodeArtefact } from './artefact.ts'
import { emptyBaseline, stepBaseline } from './baseline.ts'

/** Four weeks and more of values that say nothing of each other: nothing of it can be packed. */
function fullArtefact(): Artefact {
  const random = seededRandom(1)
  const baseline = emptyBaseline()
  for (let i = 0; i < 8500; i += 1) {
    const values = Array.from({ length: 2 + Math.floor(random() * 6) }, () => random() * 100 * (1 + random()))
    stepBaseline(baseline, featuresOfValues(i * WINDOW, values))
  }
  const ledger = [{ until: baseline.learnedUntil!, parts: 8500 }]
  return { tenantId: 't', metricId: 'm', trainedUntil: baseline.learnedUntil!, ledger, baseline }
}

describe('encodeArtefact()', () => {
  it('is the same again after reading, and less than 64 KiB whatever the values', () => {
    const text = encodeArtefact(fullArtefact())
    expect(text.length).toBeLessThan(64 * 1024)
    expect(encodeArtefact(decodeArtefact(text))).toBe(text)
  })
})

describe('decodeArtefact()', () => {
  it('says of another format what to do', () => {
    expect(() => decodeArtefact('{"format":1,"windows":12}')).toThrow(
      'Cannot read a model of format 1: this version writes 3, train it again.',
    )
  })

  it('refuses what was cut short or changed', () => {
    const text = encodeArtefact(fullArtefact())
    const changed = JSON.parse(text)
    changed.histories.level.values = changed.histories.level.values.slice(0, 1000)
    for (const broken of [text.slice(0, -10), JSON.stringify(changed), '{}', 'null']) {
      expect(() => decodeArtefact(broken)).toThrow()
    }
  })
})
