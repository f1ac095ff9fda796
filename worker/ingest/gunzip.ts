import { createGunzip } from 'node:zlib'

const CHUNK_BYTES = 64 * 1024

/**
 * The decompressed bytes, hardly more of them at a time than are read. Several members in a row are one text
 * (RFC 1952, 2.2), as gateways that compress piece by piece send it; DecompressionStream takes only one, and
 * twice the time. Fails where the bytes are cut short or damaged, or go on with anything but zeros.
 */
export function gunzip(gzipped: Uint8Array): ReadableStream<Uint8Array> {
  const decompressor = createGunzip({ chunkSize: CHUNK_BYTES })
  decompressor.end(gzipped)
  const pieces: AsyncIterator<Uint8Array> = decompressor[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: () => {
      decompressor.destroy()
    },
  })
}
