import { describe, expect, it } from 'vitest'
import * as route from './route.ts'
import { parseRoute } from './route.ts'

const metric = { page: 'metric', deviceId: 'd1', metricId: 'm1', period: '7d', zoom: undefined, table: false }
const span = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 0, 3) }
const zoom = { from: Date.UTC(2026, 0, 2), to: Date.UTC(2026, 0, 3) }

describe('parseRoute()', () => {
  it.each([
    ['', { page: 'overview' }],
    [route.overviewHref(), { page: 'overview' }],
    [route.devicesHref(), { page: 'devices', search: '' }],
    [route.devicesHref('pump 7&'), { page: 'devices', search: 'pump 7&' }],
    [route.deviceHref('d1'), { page: 'device', deviceId: 'd1', search: '' }],
    [route.deviceHref('d1', 'temp'), { page: 'device', deviceId: 'd1', search: 'temp' }],
    [route.metricHref('d1', 'm1'), metric],
    [route.metricHref('d1', 'm1', { period: '30d', table: true }), { ...metric, period: '30d', table: true }],
    [route.metricHref('d1', 'm1', { period: span, zoom }), { ...metric, period: span, zoom }],
    ['#/devices/d1/metrics/m1', metric],
    ['#/devices/d1/metrics/m1?range=9y&zoom=x', metric],
    ['#/devices/d1/metrics', { page: 'not-found' }],
    ['#/devices/d1/metrics/m1/more', { page: 'not-found' }],
    [route.alertsHref(), { page: 'alerts', period: '30d', open: false }],
    [route.alertsHref({ period: '7d', open: true }), { page: 'alerts', period: '7d', open: true }],
    [route.ruleHref('r1'), { page: 'rule', ruleId: 'r1', metricId: undefined }],
    [route.newRuleHref('m1'), { page: 'rule', ruleId: undefined, metricId: 'm1' }],
    ['#/alerts/rules', { page: 'not-found' }],
    [route.webhooksHref(), { page: 'webhooks' }],
    [route.webhookHref('w1'), { page: 'webhook', webhookId: 'w1' }],
    [route.usageHref(90), { page: 'usage', days: 90 }],
    ['#/usage?days=12', { page: 'usage', days: 30 }],
    [route.batchesHref('gw:1'), { page: 'batches', batchId: 'gw:1' }],
    ['#/elsewhere', { page: 'not-found' }],
    ['#/constructor', { page: 'not-found' }],
    ['#/devices/%E0%A4%A', { page: 'device', deviceId: '%E0%A4%A', search: '' }],
  ])('reads %j', (hash, expected) => {
    expect(parseRoute(hash)).toEqual(expected)
  })

  it('gives back ids with every character that means something in an address', () => {
    const id = 'a/b?c#d%20 é'
    expect(parseRoute(route.deviceHref(id))).toMatchObject({ page: 'device', deviceId: id })
    expect(parseRoute(route.metricHref(id, id))).toMatchObject({ deviceId: id, metricId: id })
  })
})
