import type { LookupAddress } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import type { Resolve } from './guarded-agent.ts'

/**
 * Asks the name servers for both families of addresses. Not `dns.lookup`, which has four threads for the whole process: a
 * tenant whose name servers do not answer would hold up everybody's deliveries. It reads no hosts file and adds no
 * search domain, so that a bare name of the inner network leads nowhere.
 */
export function dnsResolve(resolver = new Resolver({ timeout: 2_000, tries: 2 })): Resolve {
  return (hostname, _options, callback) => {
    const families = [resolver.resolve4(hostname), resolver.resolve6(hostname)]
    Promise.allSettled(families).then((results) => {
      const found = results.flatMap((result, i): LookupAddress[] =>
        result.status === 'fulfilled'
          ? result.value.map((address) => ({ address, family: i === 0 ? 4 : 6 }))
          : [],
      )
      const [failure] = results
      if (found.length === 0 && failure?.status === 'rejected') callback(failure.reason, [])
      else callback(null, found)
    })
  }
}
