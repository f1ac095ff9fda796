import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { Agent } from 'undici'
import { isPublicAddress } from '../../telemetry/public-address.ts'

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
 * An agent that checks where a name leads at the moment it connects, and connects to exactly what it checked:
 * a name that answers differently a second time gains nothing. One address that is not public refuses all.
 * Literal addresses never pass a look-up; the caller checks those in the URL.
 */
export function guardedAgent(options: { allowPrivate: boolean; resolve?: Resolve }): Agent {
  const { allowPrivate, resolve = lookup } = options
  const guardedLookup = (hostname: string, wanted: LookupOptions, callback: LookupCallback): void => {
    resolve(hostname, { ...wanted, all: true }, (error, addresses) => {
      if (error) return callback(error, [])
      const refused = addresses.find(({ address }) => !allowPrivate && !isPublicAddress(address))
      if (refused) {
        return callback(new Error(`${hostname} leads to ${refused.address}, which is not public`), [])
      }
      const [first] = addresses
      if (!first) return callback(new Error(`${hostname} has no address`), [])
      if (wanted.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
  return new Agent({
    connect: { lookup: guardedLookup, timeout: 10_000 },
    pipelining: 1,
    keepAliveTimeout: 4_000,
  })
}
