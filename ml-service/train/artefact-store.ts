import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { UsageError } from '../usage-error.ts'

/** Where artefacts lie; paths are relative, with slashes. */
export interface ArtefactStore {
  /** The text, or undefined when there is no such artefact. */
  read(artefactPath: string): Promise<string | undefined>
  /** All or nothing: nobody ever reads half an artefact. */
  write(artefactPath: string, text: string): Promise<void>
  remove(artefactPath: string): Promise<void>
}

/** Opens MODEL_DIR. Object stores are told apart by `s3://` and not supported yet. */
export function openArtefactStore(modelDir: string): ArtefactStore {
  if (modelDir.startsWith('s3://')) {
    throw new UsageError('MODEL_DIR on s3:// is not supported yet: set it to a folder.')
  }
  const fileOf = (artefactPath: string) => path.join(path.resolve(modelDir), ...artefactPath.split('/'))
  return {
    read: async (artefactPath) => {
      try {
        return await readFile(fileOf(artefactPath), 'utf8')
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
        throw error
      }
    },
    write: (artefactPath, text) => writeAtomically(fileOf(artefactPath), text),
    remove: (artefactPath) => rm(fileOf(artefactPath), { force: true }),
  }
}

async function writeAtomically(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  const unfinished = `${file}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(unfinished, 'w')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(unfinished, file)
}
