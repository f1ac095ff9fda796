import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import * as v from 'valibot'

/** Replaces `file` in one step, so that a reader sees the old content or the new, never half of it. */
export function writeJsonAtomically(file: string, value: unknown, mode = 0o600): void {
  const unfinished = `${file}.${process.pid}`
  writeFileSync(unfinished, `${JSON.stringify(value, null, 2)}\n`, { mode })
  renameSync(unfinished, file)
}

/** The content of `file`, or undefined when it is missing, cut short or of another shape. */
export function readJson<T extends v.GenericSchema>(file: string, schema: T): v.InferOutput<T> | undefined {
  try {
    const parsed = v.safeParse(schema, JSON.parse(readFileSync(file, 'utf8')))
    return parsed.success ? parsed.output : undefined
  } catch {
    return undefined
  }
}
