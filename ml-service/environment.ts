import * as v from 'valibot'
import type { ArchiveSettings } from './replay/s3-archive.ts'
import { UsageError } from './usage-error.ts'

/** An empty variable counts as unset, as in .env.example. */
const present = (variables: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''))

const NOT_A_PORT = 'must be a port number'

const environmentSchema = v.object({
  DATABASE_URL: v.optional(v.string()),
  MODEL_DIR: v.optional(v.string()),
  WEBHOOK_SECRET_KEY: v.optional(v.string()),
  WEBHOOK_SECRET_KEY_PREVIOUS: v.optional(v.string()),
  WEBHOOK_ALLOW_PRIVATE: v.optional(v.picklist(['0', '1'], 'must be 1 or unset'), '0'),
  ARCHIVE: v.optional(v.pipe(v.string(), v.regex(/^s3:\/\/[^/]+/, 'must be s3:// and the name of a bucket'))),
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
  modelDir: () => string
  /** The key that seals webhook secrets, then the one before it where there is one. */
  webhookSecretKeys: () => [string, ...string[]]
  archive: () => ArchiveSettings
  webhookAllowPrivate: boolean
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
  const archive = required('ARCHIVE', 's3:// and the bucket of the archive, or start the local stack first')
  const webhookSecretKey = required('WEBHOOK_SECRET_KEY', 'the 32 bytes in base64 that open webhook secrets')
  const previousKey = values.WEBHOOK_SECRET_KEY_PREVIOUS
  return {
    archive: () => archiveSettings(archive(), values),
    databaseUrl: required('DATABASE_URL', 'the Postgres to work on, or start the local stack first'),
    modelDir: required('MODEL_DIR', 'the folder that holds the model artefacts'),
    webhookSecretKeys: () => [webhookSecretKey(), ...(previousKey === undefined ? [] : [previousKey])],
    webhookAllowPrivate: values.WEBHOOK_ALLOW_PRIVATE === '1',
    port: values.PORT,
  }
}

function archiveSettings(
  archive: string,
  values: { [Name in `S3_${'ENDPOINT' | 'ACCESS_KEY_ID' | 'SECRET_ACCESS_KEY'}`]?: string | undefined },
): ArchiveSettings {
  const [bucket = '', ...folders] = archive
    .replace(/^s3:\/\//, '')
    .replace(/\/+$/, '')
    .split('/')
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = values
  return {
    bucket,
    prefix: folders.map((folder) => `${folder}/`).join(''),
    endpoint: values.S3_ENDPOINT,
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
  }
}
