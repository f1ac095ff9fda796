import * as v from 'valibot'

/** What worker-process.ts tells worker-runner.ts, over the channel between the two. */
export const runnerOptionsSchema = v.object({
  bundle: v.string(),
  /** The folder of the static assets; left out: that of wrangler.toml. */
  assetsDir: v.optional(v.string()),
  port: v.number(),
  /** Where Durable Objects and R2 keep their state. */
  persistDir: v.string(),
  bindings: v.record(v.string(), v.string()),
  /** Opens the R2 buckets over S3, at /cdn-cgi/local/r2/s3. */
  s3Credentials: v.object({ accessKeyId: v.string(), secretAccessKey: v.string() }),
})
export type RunnerOptions = v.InferOutput<typeof runnerOptionsSchema>

/** What it answers: which process runs the Worker's code. */
export const runnerMessageSchema = v.object({ pid: v.number() })
export type RunnerMessage = v.InferOutput<typeof runnerMessageSchema>
