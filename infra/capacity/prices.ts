/**
 * Dollars, as published by the services in 2026, without taxes and discounts; `included` comes with the paid plan each
 * month. Cloudflare: developers.cloudflare.com/workers/platform/pricing and those of Durable Objects,
 * Queues, R2 and Analytics Engine.
 * Neon: neon.com/docs/introduction/plans, plan Scale. Fargate: ARM, us-east-1.
 */
export const PRICES = {
  workersPlan: { of: 'Workers paid plan', dollars: 5, per: 1, included: 0 },
  requests: { of: 'Worker requests', dollars: 0.3, per: 1e6, included: 10e6 },
  cpuMs: { of: 'Worker CPU, ms', dollars: 0.02, per: 1e6, included: 30e6 },
  logLines: { of: 'log lines', dollars: 0.6, per: 1e6, included: 20e6 },
  // Announced; not billed so far.
  measurements: { of: 'Analytics Engine points', dollars: 0.25, per: 1e6, included: 10e6 },
  objectRequests: { of: 'object requests', dollars: 0.15, per: 1e6, included: 1e6 },
  objectGbSeconds: { of: 'object GB-s', dollars: 12.5, per: 1e6, included: 400e3 },
  rowsWritten: { of: 'object rows written', dollars: 1, per: 1e6, included: 50e6 },
  objectGb: { of: 'object storage, GB', dollars: 0.2, per: 1, included: 5 },
  queueOperations: { of: 'queue operations', dollars: 0.4, per: 1e6, included: 1e6 },
  archiveWrites: { of: 'R2 class A', dollars: 4.5, per: 1e6, included: 1e6 },
  archiveReads: { of: 'R2 class B', dollars: 0.36, per: 1e6, included: 10e6 },
  archiveGb: { of: 'R2 storage, GB', dollars: 0.015, per: 1, included: 10 },
  postgresCuHours: { of: 'Neon compute, CU-h', dollars: 0.222, per: 1, included: 0 },
  postgresGb: { of: 'Neon storage, GB', dollars: 0.35, per: 1, included: 0 },
  fargateVcpuHours: { of: 'Fargate, vCPU-h', dollars: 0.03238, per: 1, included: 0 },
  fargateGbHours: { of: 'Fargate, GB-h', dollars: 0.00356, per: 1, included: 0 },
} as const

export type Item = keyof typeof PRICES
