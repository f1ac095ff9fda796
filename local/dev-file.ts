import { rmSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { readJson, writeJsonAtomically } from './atomic-file.ts'

const devFileSchema = v.object({
  url: v.string(),
  dashboard_url: v.string(),
  admin_token: v.string(),
  database_url: v.string(),
  model_dir: v.string(),
  pids: v.object({
    supervisor: v.number(),
    postgres: v.nullable(v.number()), // null: DATABASE_URL names somebody else's
    worker: v.number(),
    ml: v.number(),
  }),
})

/** What other programs need to find their way into a running local stack. */
export type DevFile = v.InferOutput<typeof devFileSchema>

const fileOf = (stateDir: string) => path.join(stateDir, 'dev.json')

export const writeDevFile = (stateDir: string, content: DevFile) =>
  writeJsonAtomically(fileOf(stateDir), content)

/** The running stack of `stateDir`; undefined when none is up. */
export const readDevFile = (stateDir: string) => readJson(fileOf(stateDir), devFileSchema)

export const removeDevFile = (stateDir: string) => rmSync(fileOf(stateDir), { force: true })
