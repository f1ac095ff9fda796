import { convertV4MiniflareOptions, Miniflare } from 'miniflare'

export const S3_CREDENTIALS = { accessKeyId: 'a'.repeat(32), secretAccessKey: 'b'.repeat(64) }

/** A bucket in the R2 of the Workers runtime, and the S3 it is served by. */
export async function startLocalS3(bucket: string) {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...{ name: bucket, modules: true, script: 'export default {}', compatibilityDate: '2026-01-01' },
      ...{ host: '127.0.0.1', port: 0, cf: false },
      r2Buckets: { BUCKET: { id: bucket, s3Credentials: S3_CREDENTIALS } },
    }),
  )
  return {
    endpoint: new URL('/cdn-cgi/local/r2/s3', await miniflare.ready).href,
    bucket: await miniflare.getR2Bucket('BUCKET'),
    stop: () => miniflare.dispose(),
  }
}
