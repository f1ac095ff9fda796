import * as v from 'valibot'

const OBJECTS_AT_ONCE = 1000

export const Deletion = v.pipe(
  v.object({
    step: v.picklist(['shards', 'archive', 'database', 'leftovers']),
    objects_removed: v.number(),
    rows_removed: v.number(),
  }),
  v.metadata({ ref: 'Deletion', description: 'What is being removed of a tenant, and what has been.' }),
)

/** How far the deletion of a tenant has got. */
export type Deletion = v.InferOutput<typeof Deletion>

export const newDeletion = (): Deletion => ({ step: 'shards', objects_removed: 0, rows_removed: 0 })

export const parseDeletion = (text: string): Deletion => v.parse(Deletion, JSON.parse(text))

export interface DeletionDeps {
  tenantId: string
  bucket: Pick<R2Bucket, 'list' | 'delete'>
  /** Shards that still hold something. */
  shards(): number[]
  destroyShard(shard: number): Promise<void>
  /** Deletes a bounded number of the tenant's rows and tells how many; 0: none are left. */
  deleteRows(): Promise<number>
}

/**
 * One bounded step of a tenant's deletion; undefined when nothing is left. Every step can be repeated, so an
 * object that is evicted in between goes on where it was. The shards go first: after them nothing is accepted
 * that would have to be removed again.
 */
export async function deletionStep(deps: DeletionDeps, done: Deletion): Promise<Deletion | undefined> {
  if (done.step === 'shards') {
    const [shard] = deps.shards()
    if (shard === undefined) return { ...done, step: 'archive' }
    await deps.destroyShard(shard)
    return done
  }
  if (done.step === 'archive') {
    const removed = await deleteObjects(deps)
    return removed === 0
      ? { ...done, step: 'database' }
      : { ...done, objects_removed: done.objects_removed + removed }
  }
  if (done.step === 'database') {
    const removed = await deps.deleteRows()
    return removed === 0
      ? { ...done, step: 'leftovers' }
      : { ...done, rows_removed: done.rows_removed + removed }
  }
  // What requests in flight had archived before the shards could refuse them.
  return (await deleteObjects(deps)) === 0 ? undefined : done
}

async function deleteObjects({ bucket, tenantId }: DeletionDeps): Promise<number> {
  for (const prefix of [`raw/${tenantId}/`, `manifest/${tenantId}/`]) {
    const { objects } = await bucket.list({ prefix, limit: OBJECTS_AT_ONCE })
    if (objects.length === 0) continue
    await bucket.delete(objects.map(({ key }) => key))
    return objects.length
  }
  return 0
}
