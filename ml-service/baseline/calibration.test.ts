import fc from 'fast-check'
import { expect, it } from 'vitest'
import { addDistance, calibrationSize, emptyCalibration, usualDistance } from './calibration.ts'

it('usualDistance() is undefined before the first distance and the record while there are few', () => {
  const calibration = emptyCalibration()
  expect(usualDistance(calibration)).toBeUndefined()
  for (const distance of [1, 5, 2]) addDistance(calibration, distance)
  expect(usualDistance(calibration)).toBe(5)
})

it('usualDistance() agrees with sorting everything, as long as nothing is forgotten', () => {
  const distances = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 1500 })
  fc.assert(
    fc.property(distances, (all) => {
      const calibration = emptyCalibration()
      for (const distance of all) addDistance(calibration, distance)
      const descending = all.toSorted((a, b) => b - a)
      expect(usualDistance(calibration)).toBe(descending[Math.ceil(0.005 * all.length) - 1])
    }),
    { numRuns: 30 },
  )
})

it('usualDistance() forgets a generation that is two generations old, and memory stays bounded', () => {
  const calibration = emptyCalibration()
  for (let i = 0; i < 50; i += 1) addDistance(calibration, 1000)
  for (let i = 0; i < 4032 * 2; i += 1) addDistance(calibration, 1)
  expect(usualDistance(calibration)).toBe(1)
  expect(calibrationSize(calibration)).toBeLessThanOrEqual(2 * 4032)
  expect(calibration.top.length + calibration.previousTop.length).toBeLessThanOrEqual(82)
})
