import { describe, expect, it } from 'vitest'
import { deviceHref, devicesHref, metricHref, parseRoute } from './route.ts'

describe('parseRoute()', () => {
  it.each([
    ['', { page: 'devices' }],
    ['#/', { page: 'devices' }],
    [devicesHref(), { page: 'devices' }],
    [deviceHref('d1'), { page: 'device', deviceId: 'd1' }],
    [metricHref('d1', 'm1', '30d'), { page: 'metric', deviceId: 'd1', metricId: 'm1', range: '30d' }],
    ['#/devices/d1/metrics/m1', { page: 'metric', deviceId: 'd1', metricId: 'm1', range: '7d' }],
    ['#/devices/d1/metrics/m1?range=9y', { page: 'metric', deviceId: 'd1', metricId: 'm1', range: '7d' }],
    ['#/devices/d1/metrics', { page: 'not-found' }],
    ['#/devices/d1/metrics/m1/more', { page: 'not-found' }],
    ['#/elsewhere', { page: 'not-found' }],
    ['#/devices/%E0%A4%A', { page: 'device', deviceId: '%E0%A4%A' }],
  ])('reads %j', (hash, route) => {
    expect(parseRoute(hash)).toEqual(route)
  })

  it('gives back ids with every character that means something in an address', () => {
    const id = 'a/b?c#d%20 é'
    expect(parseRoute(deviceHref(id))).toEqual({ page: 'device', deviceId: id })
    expect(parseRoute(metricHref(id, id, '24h'))).toMatchObject({ deviceId: id, metricId: id, range: '24h' })
  })
})
