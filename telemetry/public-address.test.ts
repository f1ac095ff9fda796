import { expect, it } from 'vitest'
import { isPublicAddress, literalAddress } from './public-address.ts'

it.each(['1.1.1.1', '93.184.215.14', '2606:4700:4700::1111'])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})

it.each([
  ...['127.0.0.1', '0.0.0.0', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1'],
  ...['224.0.0.1', '255.255.255.255', '192.0.2.1', '198.18.0.1', '240.0.0.1'],
  ...['::1', '::', 'fe80::1', 'fc00::1', 'ff02::1', '2001:db8::1', 'fd00:ec2::254'],
  ...[
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001::1',
    '::127.0.0.1',
    '::a00:1',
    '64:ff9b:1::a00:1',
    '::ffff:0:7f00:1',
    'fec0::1',
    '4000::1',
    '100:0:0:1::1',
  ],
  ...['168.63.129.16', '100.100.100.200', '192.0.0.170', '169.254.170.2', '::ffff:168.63.129.16'],
  ...['', 'example.com'],
])('"%s" is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})

it('literalAddress() reads the address a URL spells out, in any notation', () => {
  const hostOf = (url: string) => literalAddress(new URL(url).hostname)
  expect(hostOf('https://0x7f.1/')).toBe('127.0.0.1')
  expect(hostOf('https://017700000001/')).toBe('127.0.0.1')
  expect(hostOf('https://[::1]:8080/')).toBe('::1')
  expect(hostOf('https://example.com/')).toBeUndefined()
})
