import { createServer } from 'node:net'
import { SettingsError } from './settings.ts'

/** Refuses, in one sentence, a port that something else listens on. */
export async function requireFreePort(port: number, variable: string): Promise<void> {
  await listenOnce(port).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${error.code})`
    throw new SettingsError(
      `Port ${port} ${reason}: stop what listens there, or set ${variable} to another port.`,
    )
  })
}

/** A port that nothing listens on at this moment. */
export const freePort = () => listenOnce(0)

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })
}
