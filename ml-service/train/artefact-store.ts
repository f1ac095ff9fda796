import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { DeleteObjectCommand, GetObjectCommand, NoSuchKey, PutObjectCommand } from '@aws-sdk/client-s3'
import { openS3Client, type S3Place } from '../s3-place.ts'

/** Where artefacts lie; paths are relative, with slashes. */
export interface ArtefactStore {
  /** The text, or undefined when there is no such artefact. Throws where the store does not answer. */
  read(artefactPath: string): Promise<string | undefined>
  /** All or nothing: nobody ever reads half an artefact. */
  write(artefactPath: string, text: string): Promise<void>
  remove(artefactPath: string): Promise<void>
}

/** Opens MODEL_DIR: a folder, or a place in an object store. */
export const openArtefactStore = (modelDir: string | S3Place): ArtefactStore =>
  typeof modelDir === 'string' ? folderStore(modelDir) : s3Store(modelDir)

function folderStore(modelDir: string): ArtefactStore {
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

/** An object appears whole or not at all. */
function s3Store(place: S3Place): ArtefactStore {
  const client = openS3Client(place)
  const objectOf = (artefactPath: string) => ({ Bucket: place.bucket, Key: place.prefix + artefactPath })
  return {
    read: async (artefactPath) => {
      try {
        const { Body } = await client.send(new GetObjectCommand(objectOf(artefactPath)))
        return await Body?.transformToString()
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined
        throw error
      }
    },
    write: async (artefactPath, text) => {
      const content = { Body: text, ContentType: 'application/json' }
      await client.send(new PutObjectCommand({ ...objectOf(artefactPath), ...content }))
    },
    remove: async (artefactPath) => {
      await client.send(new DeleteObjectCommand(objectOf(artefactPath)))
    },
  }
}
