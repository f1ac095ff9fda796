import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

export interface PostgresUser {
  uid?: number
  gid?: number
}

/** Whom Postgres runs as: this user, or `postgres` when this is root; undefined when that user does not exist yet. */
export function postgresUser(): PostgresUser | undefined {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const { status, stdout } = spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' })
    return status === 0 ? Number(stdout) : undefined
  })
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}

/** Throws, in one sentence, when `user` cannot get into `dir` or run `program`. */
export function requireAccess(user: PostgresUser | undefined, dir: string, program: string): void {
  if (user?.uid === undefined) return
  for (const place of [dir, program]) {
    const { status } = spawnSync('/bin/sh', ['-c', 'test -x "$0"', place], { ...user, cwd: '/' })
    if (status !== 0 && existsSync(place)) {
      throw new Error(
        `As root, Postgres runs as the user "postgres", who cannot reach ${place}: run this as another user, or from a folder that everybody may enter.`,
      )
    }
  }
}
