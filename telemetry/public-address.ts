import ipaddr from 'ipaddr.js'

/**
 * Whether `address` (IPv4 or IPv6, any notation) belongs to the public internet: not loopback, private,
 * link-local, metadata, multicast, reserved, nor an IPv6 form that carries an IPv4 address elsewhere.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return parsed.range() === 'unicast' && !carriesIpv4(parsed)
}

/** ::/96 once carried IPv4 addresses, private ones among them; ipaddr.js takes it for unicast. */
function carriesIpv4(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.kind() === 'ipv4') return false
  const prefix = address.toByteArray().slice(0, 12)
  return prefix.every((byte) => byte === 0)
}

/** The address that a URL's host spells out; undefined where the host is a name. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return ipaddr.isValid(bare) ? bare : undefined
}
