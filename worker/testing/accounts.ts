import { env } from 'cloudflare:workers'
import * as v from 'valibot'
import { Manifest } from '../../telemetry/manifest.ts'
import { sql } from './owner-sql.ts'
import type { TestTenant } from './tenant.ts'
import type { Batch } from './tenant-life.ts'

/** What a tenant's batches come to, in every place that counts or keeps them. */
export async function accountsOf(tenant: TestTenant) {
  const [usage, [rows], manifested, { seriesUsed }] = await Promise.all([
    usageOf(tenant),
    sql`select
      (select count(*)::int from datapoints where tenant_id = ${tenant.id}) as stored,
      (select coalesce(sum(value), 0) from datapoints where tenant_id = ${tenant.id}) as "storedSum",
      (select coalesce(sum(count), 0)::int from window_aggregates where tenant_id = ${tenant.id}) as windowed,
      (select coalesce(round(sum(count * mean)), 0) from window_aggregates where tenant_id = ${tenant.id})
        as "windowedSum",
      (select coalesce(sum(datapoints), 0)::int from usage_daily where tenant_id = ${tenant.id}) as billed,
      (select coalesce(sum(duplicates), 0)::int from usage_daily where tenant_id = ${tenant.id}) as "billedDuplicates",
      (select coalesce(array_agg(batch_id order by batch_id), '{}') from batches
        where tenant_id = ${tenant.id} and status = 'persisted') as persisted`,
    manifestedOf(tenant.id),
    env.TENANT_CONTROL.getByName(tenant.id).status(),
  ])
  return { ...usage, ...rows, manifested, seriesUsed }
}

/** The same, computed from the batches that were accepted: no two of them hold a timestamp of the same series. */
export function accountsFor(batches: Batch[]) {
  const ids = batches.map(({ batch_id }) => batch_id).sort()
  const series = batches.flatMap((batch) => batch.series)
  const values = series.flatMap(({ points }) => points.map(([, value]) => value))
  const [count, sum] = [values.length, values.reduce((total, value) => total + value, 0)]
  return {
    ...{ batches: ids.length, datapoints: count, stored: count, storedSum: sum },
    ...{ windowed: count, windowedSum: sum, billed: count, persisted: ids, manifested: ids },
    seriesUsed: new Set(series.map(({ device, metric }) => `${device}/${metric}`)).size,
  }
}

async function usageOf(tenant: TestTenant) {
  const { total } = await (await tenant.get('/v1/usage')).json<{ total: Record<string, number> }>()
  return { batches: total['batches'], datapoints: total['datapoints'], duplicates: total['duplicates'] }
}

/** The batches in the manifests; throws if the archive does not hold what one of them was accepted for. */
async function manifestedOf(tenantId: string): Promise<string[]> {
  const { objects } = await env.ARCHIVE.list({ prefix: `manifest/${tenantId}/` })
  const manifests = await Promise.all(
    objects.map(async ({ key }) => v.parse(Manifest, await (await env.ARCHIVE.get(key))?.json())),
  )
  const batches = manifests.flatMap((manifest) => manifest.batches)
  for (const { batch_id, sha256 } of batches) {
    const archived = await env.ARCHIVE.head(`raw/${tenantId}/${batch_id}`)
    if (archived?.customMetadata?.['sha256'] !== sha256)
      throw new Error(`${batch_id} is not in the archive as it was accepted`)
  }
  return batches.map(({ batch_id }) => batch_id).sort()
}
