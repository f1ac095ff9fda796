import ipaddr from 'ipaddr.js'

/**
 * Whether `address` (IPv4 or IPv6, any notation) belongs to the public internet: not loopback, private,
 * link-local, metadata, multicast, reserved, nor an IPv6 form that carries an IPv4 address elsewhere.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  return ipaddr.process(address).range() === 'unicast'
}

/** The address that a URL's host spells out; undefined where the host is a name. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return ipaddr.isValid(bare) ? bare : undefined
}
