import { createSocket } from 'node:dgram'

const TYPES = { 1: 'A', 28: 'AAAA' } as const
export type Question = { name: string; type: 'A' | 'AAAA' }

/**
 * A name server on loopback that answers A and AAAA as `answer` says, by UDP; addresses as bytes. undefined: it keeps
 * silent, which real ones do as well.
 */
export async function startNameServer(answer: (question: Question) => number[][] | undefined) {
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const { question, end } = questionOf(query)
    const addresses = question && answer(question)
    if (addresses) socket.send(replyTo(query, end, addresses), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    stop: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  }
}

/** RFC 1035, 4.1.2: labels, each after its length, then type and class. */
function questionOf(query: Buffer): { question: Question | undefined; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const number = query.readUInt16BE(at + 1)
  const type = number === 1 || number === 28 ? TYPES[number] : undefined
  return { question: type && { name: labels.join('.').toLowerCase(), type }, end: at + 5 }
}

function replyTo(query: Buffer, end: number, addresses: number[][]): Buffer {
  const head = Buffer.from(query.subarray(0, end))
  head.writeUInt16BE(0x8180, 2) // an answer, recursion available
  head.writeUInt16BE(addresses.length, 6)
  head.writeUInt32BE(0, 8) // neither authorities nor additions
  const type = query.readUInt16BE(end - 4)
  const records = addresses.map((address) =>
    Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 0, 0, address.length, ...address]),
  )
  return Buffer.concat([head, ...records])
}
