import * as v from 'valibot'
import { type S3Place, s3PlaceOf } from './s3-place.ts'
import { UsageError } from './usage-error.ts'

/** An empty variable counts as unset, as in .env.example. */
const present = (variables: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''))

const NOT_A_PORT = 'must be a port number'
const NOT_A_SHARE = 'must be a number from 0 to 1'
const NOT_A_BUCKET = 'must be s3:// and the name of a bucket'

const environmentSchema = v.object({
  DATABASE_URL: v.optional(v.string()),
  MODEL_DIR: v.optional(v.pipe(v.string(), v.regex(/^(?!s3:)|^s3:\/\/[^/]+/, NOT_A_BUCKET))),
  WEBHOOK_SECRET_KEY: v.optional(v.string()),
  WEBHOOK_SECRET_KEY_PREVIOUS: v.optional(v.string()),
  WEBHOOK_ALLOW_PRIVATE: v.optional(v.picklist(['0', '1'], 'must be 1 or unset'), '0'),
  LOG_SAMPLE_RATE: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^\d*\.?\d+$/, NOT_A_SHARE)), '1'),
    v.transform(Number),
    v.maxValue(1, NOT_A_SHARE),
  ),
  ARCHIVE: v.optional(v.pipe(v.string(), v.regex(/^s3:\/\/[^/]+/, NOT_A_BUCKET))),
  S3_ENDPOINT: v.optional(v.pipe(v.string(), v.url('must be an http:// or https:// address'))),
  S3_ACCESS_KEY_ID: v.optional(v.string()),
  S3_SECRET_ACCESS_KEY: v.optional(v.string()),
  PORT: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^\d{1,5}$/, NOT_A_PORT)), '8788'),
    v.transform(Number),
    v.maxValue(65_535, NOT_A_PORT),
  ),
})

export interface Environment {
  databaseUrl: () => string
  /** A folder, or a place in a bucket. */
  modelDir: () => string | S3Place
  /** The key that seals webhook secrets, then the one before it where there is one. */
  webhookSecretKeys: () => [string, ...string[]]
  archive: () => S3Place
  webhookAllowPrivate: boolean
  /** Share of successes that are logged, where there are many. */
  logSampleRate: number
  port: number
}

/**
 * The settings in `variables`. What a command needs and is missing fails only where it is needed, with a
 * UsageError that names the variable.
 */
export function parseEnvironment(variables: Record<string, string | undefined>): Environment {
  const parsed = v.safeParse(environmentSchema, present(variables))
  if (!parsed.success) {
    const [issue] = parsed.issues
    throw new UsageError(`${String(issue.path?.[0]?.key)} ${issue.message}.`)
  }
  const values = parsed.output
  const required =
    (name: 'DATABASE_URL' | 'MODEL_DIR' | 'WEBHOOK_SECRET_KEY' | 'ARCHIVE', meaning: string) => () => {
      const value = values[name]
      if (value === undefined) throw new UsageError(`Set ${name} to ${meaning}.`)
      return value
    }
  const modelDir = required('MODEL_DIR', 'the folder or the s3:// bucket that holds the model artefacts')
  const access = s3AccessOf(values)
  const archive = required('ARCHIVE', 's3:// and the bucket of the archive, or start the local stack first')
  const webhookSecretKey = required('WEBHOOK_SECRET_KEY', 'the 32 bytes in base64 that open webhook secrets')
  const previousKey = values.WEBHOOK_SECRET_KEY_PREVIOUS
  return {
    archive: () => s3PlaceOf(archive(), access),
    databaseUrl: required('DATABASE_URL', 'the Postgres to work on, or start the local stack first'),
    modelDir: () => {
      const place = modelDir()
      return place.startsWith('s3://') ? s3PlaceOf(place, access) : place
    },
    webhookSecretKeys: () => [webhookSecretKey(), ...(previousKey === undefined ? [] : [previousKey])],
    webhookAllowPrivate: values.WEBHOOK_ALLOW_PRIVATE === '1',
    logSampleRate: values.LOG_SAMPLE_RATE,
    port: values.PORT,
  }
}

function s3AccessOf(
  values: {
    [Name in `S3_${'ENDPOINT' | 'ACCESS_KEY_ID' | 'SECRET_ACCESS_KEY'}`]?: string | undefined
  },
): Pick<S3Place, 'endpoint' | 'credentials'> {
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = values
  return {
    endpoint: values.S3_ENDPOINT,
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
  }
}
