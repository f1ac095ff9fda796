import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { Agent, buildConnector } from 'undici'
import { isPublicAddress, literalAddress } from '../../telemetry/public-address.ts'

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void

/** How a name becomes addresses; `dns.lookup` but in tests. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * An agent that checks where it connects to at the moment it does, and connects to exactly what it checked: a name
 * that answers differently a second time gains nothing. One address that is not public refuses all. An address
 * that the URL spells out is never looked up, so it is checked before.
 */
export function guardedAgent(options: { allowPrivate: boolean; resolve?: Resolve }): Agent {
  const { allowPrivate, resolve = lookup } = options
  const isRefused = (address: string) => !allowPrivate && !isPublicAddress(address)

  const guardedLookup = (hostname: string, wanted: LookupOptions, callback: LookupCallback): void => {
    resolve(hostname, { ...wanted, all: true }, (error, addresses) => {
      if (error) return callback(error, [])
      const refused = addresses.find(({ address }) => isRefused(address))
      if (refused) {
        return callback(new Error(`${hostname} leads to ${refused.address}, which is not public`), [])
      }
      const [first] = addresses
      if (!first) return callback(new Error(`${hostname} has no address`), [])
      if (wanted.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }

  const connect = buildConnector({ lookup: guardedLookup, timeout: 10_000 })
  const guardedConnect: buildConnector.connector = (target, callback) => {
    const address = literalAddress(target.hostname)
    if (address !== undefined && isRefused(address)) {
      return callback(new Error(`${address} is not a public address`), null)
    }
    connect(target, callback)
  }
  return new Agent({ connect: guardedConnect, pipelining: 1, keepAliveTimeout: 4_000 })
}
