import { expect, it } from 'vitest'
import { createTenant, seriesBatch, type TestTenant } from '../testing/tenant.ts'
import { BUDGET_BYTES, costOf, SMALL_SHARE_BYTES } from './body-budget.ts'
import { MAX_WIRE_BYTES } from './read-body.ts'

const MIB = 1024 * 1024
/** So many of the largest bodies are let in at once. */
const LARGE_AT_ONCE = Math.floor((BUDGET_BYTES - SMALL_SHARE_BYTES) / costOf(MAX_WIRE_BYTES, 0))

/** A batch of 8 MiB of which a part has been sent, and which says so beforehand. */
function slowPost(tenant: TestTenant) {
  const { readable, writable } = new FixedLengthStream(MAX_WIRE_BYTES)
  const writer = writable.getWriter()
  const answer = tenant.ingest(undefined, { raw: readable })
  const sent = writer.write(new Uint8Array(MIB).fill(0x20))
  return {
    answer,
    sent,
    async finish() {
      const batch = new TextEncoder().encode(JSON.stringify(seriesBatch(crypto.randomUUID())))
      await writer.write(new Uint8Array(MAX_WIRE_BYTES - MIB - batch.length).fill(0x20))
      await writer.write(batch)
      await writer.close()
      return (await answer).status
    },
  }
}

/** Bodies whose first part was taken, so that all of them are in flight. */
async function slowPosts(tenant: TestTenant, count: number) {
  const posts = Array.from({ length: count }, () => slowPost(tenant))
  await Promise.all(posts.map(({ sent }) => sent))
  return posts
}

async function expectRefused(answer: Response): Promise<void> {
  expect({ status: answer.status, ...(await answer.json<object>()) }).toMatchObject({
    status: 503,
    code: 'unavailable',
  })
  expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
}

const large = (tenant: TestTenant) =>
  tenant.ingest(undefined, {
    raw: `${JSON.stringify(seriesBatch(crypto.randomUUID()))}${' '.repeat(7 * MIB)}`,
  })

it('answers 503 to large bodies beyond the budget, lets small ones pass, and takes all once there is room', async () => {
  const tenant = await createTenant()
  const posts = await slowPosts(tenant, LARGE_AT_ONCE)
  await expectRefused(await large(tenant))
  expect((await tenant.ingest(seriesBatch('small', 1000))).status).toBe(202)
  for (const post of posts) expect(await post.finish()).toBe(202)
  expect((await large(tenant)).status).toBe(202)
})

it('gives back what bodies have held that are refused after they were read', async () => {
  const tenant = await createTenant()
  for (let i = 0; i < 3 * LARGE_AT_ONCE; i += 1) {
    expect((await tenant.ingest(undefined, { raw: `${' '.repeat(7 * MIB)}{` })).status).toBe(400)
  }
  expect((await large(tenant)).status).toBe(202)
})

it('stops a body that does not say how long it is when the budget is used up', async () => {
  const tenant = await createTenant()
  const posts = await slowPosts(tenant, LARGE_AT_ONCE)
  let taken = 0
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    if (taken >= 7 * MIB) return controller.close()
    controller.enqueue(new Uint8Array(64 * 1024).fill(0x20))
    taken += 64 * 1024
  }
  await expectRefused(await tenant.ingest(undefined, { raw: new ReadableStream({ pull }) }))
  for (const post of posts) expect(await post.finish()).toBe(202)
})

it('stops the inflating of a body when the budget is used up', async () => {
  const tenant = await createTenant()
  const posts = await slowPosts(tenant, LARGE_AT_ONCE)
  const inflated = new Blob([' '.repeat(8 * MIB)]).stream().pipeThrough(new CompressionStream('gzip'))
  const raw = await new Response(inflated).arrayBuffer()
  await expectRefused(await tenant.ingest(undefined, { raw, headers: { 'content-encoding': 'gzip' } }))
  for (const post of posts) expect(await post.finish()).toBe(202)
})
