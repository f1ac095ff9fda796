import { describe, expect, it } from 'vitest'
import { HOST_ATTACKS, URL_ATTACKS } from '../../telemetry/testing/url-attacks.ts'
import { webhookUrlFault } from './webhook-url.ts'

describe('webhookUrlFault', () => {
  it.each([
    'https://example.com/hook',
    'https://example.com:8443/a?b=c',
    'https://93.184.216.34/',
    'https://[2606:4700::1]/',
    'https://internal.example.com/',
  ])('takes %s', (url) => expect(webhookUrlFault(url, false)).toBeUndefined())

  it.each([
    ...HOST_ATTACKS.map((host) => `https://${host}/`),
    ...URL_ATTACKS,
    ...['https://localhost/', 'https://LOCALHOST/', 'https://localhost./', 'https://api.localhost/'],
    ...[
      'https://metadata.google.internal/',
      'https://METADATA.google.internal./',
      'https://ip-10-0-0-1.ec2.internal/',
    ],
  ])('refuses %j', (url) => expect(webhookUrlFault(url, false)).toEqual(expect.any(String)))

  it('lets a local run use http: and private addresses, and still no user info', () => {
    expect(webhookUrlFault('http://127.0.0.1:9000/', true)).toBeUndefined()
    expect(webhookUrlFault('http://user@127.0.0.1/', true)).toEqual(expect.any(String))
  })
})
