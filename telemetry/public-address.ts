import ipaddr from 'ipaddr.js'

/** Reaches the host agent of a large cloud from its machines, though it looks like any public address. */
const HOST_AGENT = '168.63.129.16'

/**
 * Whether `address` (IPv4 or IPv6, any notation) belongs to the public internet: not loopback, private,
 * link-local, metadata, multicast, reserved, nor an IPv6 form that carries an IPv4 address elsewhere.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return parsed.range() === 'unicast' && parsed.toString() !== HOST_AGENT && isAllocated(parsed)
}

/** Of IPv6 only 2000::/3 is given out as global unicast: not ::/96, which once carried IPv4 addresses. */
const isAllocated = (address: ipaddr.IPv4 | ipaddr.IPv6) =>
  address.kind() === 'ipv4' || (address.toByteArray()[0]! & 0xe0) === 0x20

/** The address that a URL's host spells out; undefined where the host is a name. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return ipaddr.isValid(bare) ? bare : undefined
}
