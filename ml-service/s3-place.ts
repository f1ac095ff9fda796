import { S3Client } from '@aws-sdk/client-s3'

/** A part of a bucket, and who may use it; without credentials or endpoint what the SDK finds around itself. */
export interface S3Place {
  bucket: string
  /** Of every key; '' or with a slash at its end. */
  prefix: string
  endpoint: string | undefined
  credentials: { accessKeyId: string; secretAccessKey: string } | undefined
}

/** The place that `s3://bucket/folder` names. */
export function s3PlaceOf(url: string, access: Pick<S3Place, 'endpoint' | 'credentials'>): S3Place {
  const [bucket = '', ...folders] = url
    .replace(/^s3:\/\//, '')
    .replace(/\/+$/, '')
    .split('/')
  return { bucket, prefix: folders.map((folder) => `${folder}/`).join(''), ...access }
}

export function openS3Client({ endpoint, credentials }: S3Place): S3Client {
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, region: 'auto', forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    // R2 and local servers know no checksums but those asked for.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 60_000 },
  })
}
