import { describe, expect, it } from 'vitest'
import { webhookUrlFault } from './webhook-url.ts'

describe('webhookUrlFault', () => {
  it.each([
    'https://example.com/hook',
    'https://example.com:8443/a?b=c',
    'https://93.184.216.34/',
    'https://[2606:4700::1]/',
  ])('takes %s', (url) => expect(webhookUrlFault(url, false)).toBeUndefined())

  it.each([
    'http://example.com/',
    'ftp://example.com/',
    'javascript:alert(1)',
    'example.com',
    '',
    'https://user:secret@example.com/',
    'https://user@example.com/',
    'https://localhost/',
    'https://localhost./',
    'https://api.localhost/',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
    'https://0.0.0.0/',
    'https://10.0.0.1/',
    'https://172.16.0.1/',
    'https://192.168.1.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://169.254.170.2/',
    'https://100.64.0.1/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::127.0.0.1]/',
    'https://[::808:808]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[fe80::1]/',
    'https://[fc00::1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
  ])('refuses %s', (url) => expect(webhookUrlFault(url, false)).toEqual(expect.any(String)))

  it('lets a local run use http: and private addresses, and still no user info', () => {
    expect(webhookUrlFault('http://127.0.0.1:9000/', true)).toBeUndefined()
    expect(webhookUrlFault('http://user@127.0.0.1/', true)).toEqual(expect.any(String))
  })
})
