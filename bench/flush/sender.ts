import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { Api } from '../../local/api.ts'
import { type BatchPlan, batchText } from '../batches.ts'
import type { BatchMessage, ConsumerStack } from './consumer-stack.ts'

/** Requests under way at once. */
const CONNECTIONS = 4

/** What a tenant of its own sends: so many gateways by turns, each a batch of as many series and points. */
export type Traffic = Pick<BatchPlan, 'series' | 'points'> & { gateways: number }

/** Has batches accepted, through the API as gateways do, that go on in time where the last ones stood. */
export class Sender {
  readonly tenantId: string
  readonly traffic: Traffic
  readonly #api: Api
  readonly #start: number
  #sent = 0

  /** `start` is when its first datapoints are from, epoch ms. */
  static async create({ api }: ConsumerStack, traffic: Traffic, start: number): Promise<Sender> {
    const admin = new Api(api)
    const body = { name: `bench-${randomUUID()}` }
    const { id } = await admin.json('/admin/tenants', v.object({ id: v.string() }), { method: 'POST', body })
    const { key } = await admin.json(`/admin/tenants/${id}/keys`, v.object({ key: v.string() }), {
      ...{ method: 'POST', body: { scopes: ['ingest'] } },
    })
    return new Sender(id, traffic, new Api({ url: api.url, token: key, patienceMs: 10_000 }), start)
  }

  private constructor(tenantId: string, traffic: Traffic, api: Api, start: number) {
    this.tenantId = tenantId
    this.traffic = traffic
    this.#api = api
    this.#start = start
  }

  /** The messages that the queue would bring to the consumer. */
  async send(batches: number): Promise<BatchMessage[]> {
    const numbers = Array.from({ length: batches }, (_, i) => this.#sent + i)
    this.#sent += batches
    const left = numbers.values()
    const connection = async () => {
      for (const number of left)
        await this.#api.send('/v1/ingest', { method: 'POST', body: this.#text(number) })
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, connection))
    return numbers.map((number) => {
      const batch_id = batchIdOf(number)
      return { tenant_id: this.tenantId, batch_id, r2_key: `raw/${this.tenantId}/${batch_id}` }
    })
  }

  #text(number: number): string {
    const { gateways, series, points } = this.traffic
    const at = this.#start + Math.floor(number / gateways) * points * 1000
    const plan = { shape: 'series' as const, series, points, gateway: number % gateways }
    return batchText({ ...plan, batchId: batchIdOf(number) }, at)
  }
}

const batchIdOf = (number: number) => `batch-${number}`
