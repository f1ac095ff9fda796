import { isPublicAddress, literalAddress } from '../../telemetry/public-address.ts'

/**
 * What a webhook's URL itself tells against it, as a rule the user can follow; undefined: nothing does. Names
 * are resolved and checked by the ML service at every connection. The URL parser has already turned every
 * notation of an IPv4 address (decimal, octal, hex, short) into the dotted one.
 */
export function webhookUrlFault(text: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(text)) return 'must be a URL'
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password'
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) return 'must be an https: URL'
  if (allowPrivate) return undefined
  const host = url.hostname.replace(/\.+$/, '').replace(/^\[|\]$/g, '')
  if (host === '' || host === 'localhost' || host.endsWith('.localhost')) return 'must not be this machine'
  // Reserved for private networks: the names of metadata services, such as metadata.google.internal, end so.
  if (host.endsWith('.internal')) return 'must not be a name of a private network'
  return literalAddress(host) !== undefined && !isPublicAddress(host) ? 'must be a public address' : undefined
}
