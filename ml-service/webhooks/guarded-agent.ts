import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { Agent, buildConnector } from 'undici'
import { isPublicAddress, literalAddress } from '../../telemetry/public-address.ts'
import { dnsResolve } from './dns-resolve.ts'

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void

/** How a name becomes addresses. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * An agent that checks where it connects to at the moment it does, and connects to exactly what it checked: a name
 * that answers differently a second time gains nothing. One address that is not public refuses all. An address
 * that the URL spells out is never looked up, so it is checked before. Names are looked up in the DNS alone, unless
 * private addresses are allowed.
 */
export function guardedAgent(options: { allowPrivate: boolean; resolve?: Resolve }): Agent {
  const { allowPrivate, resolve = allowPrivate ? lookup : dnsResolve() } = options
  const connect = buildConnector({
    lookup: allowPrivate ? addressesOf(resolve) : publicAddressesOf(resolve),
    timeout: 10_000,
  })
  const guardedConnect: buildConnector.connector = (target, callback) => {
    const address = literalAddress(target.hostname)
    if (address === undefined || allowPrivate || isPublicAddress(address)) connect(target, callback)
    else callback(new Error(`${address} is not a public address`), null)
  }
  return new Agent({ connect: guardedConnect, pipelining: 1, keepAliveTimeout: 4_000 })
}

/** Whatever a name server says of it, this is the machine itself (RFC 6761). */
const THIS_HOST = /(^|\.)localhost\.?$/i

const publicAddressesOf = (resolve: Resolve) =>
  addressesOf((hostname, options, callback) => {
    const refuse = (reason: string) => callback(new Error(`${hostname} ${reason}, which is not public`), [])
    if (THIS_HOST.test(hostname)) refuse('is this machine')
    else {
      resolve(hostname, options, (error, addresses) => {
        const refused = error ? undefined : addresses.find(({ address }) => !isPublicAddress(address))
        if (refused) refuse(`leads to ${refused.address}`)
        else callback(error, addresses)
      })
    }
  })

/** A look-up in the form that connections make it in: of all addresses or of one. */
const addressesOf =
  (resolve: Resolve) =>
  (hostname: string, wanted: LookupOptions, callback: LookupCallback): void => {
    resolve(hostname, { ...wanted, all: true }, (error, addresses) => {
      if (error) return callback(error, []) // then there are no addresses at all
      const [first] = addresses
      if (!first) callback(new Error(`${hostname} has no address`), [])
      else if (wanted.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
