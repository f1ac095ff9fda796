import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'

/** A command line and whom it runs as. */
export interface UserCommand {
  command: string
  args: string[]
  uid?: number
  gid?: number
}

/** How Postgres' programs are run: `as` the given user, or merely `seeming` to be that user while still root. */
export interface RunsAs {
  as?: { uid: number; gid: number }
  seeming?: { uid: number; gid: number }
}

/**
 * Postgres refuses to run as root. Root therefore runs it as another user (`postgres`, or else `nobody`) where
 * that user can reach `places`; in folders that only root may enter, in a user namespace, where root's own
 * process bears another user's name. Data in `dir` that exists decides by its owner. Throws in one sentence.
 */
export function postgresRunsAs(dir: string, places: string[]): RunsAs {
  if (process.getuid?.() !== 0) return {}
  const owner = statSync(dir, { throwIfNoEntry: false })
  const other = ['postgres', 'nobody'].map(lookUp).find((user) => user !== undefined)
  const user = owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : other
  if (
    user &&
    owner?.uid !== 0 &&
    places.every((place) => succeeds(commandOf({ as: user }, 'test', ['-x', place])))
  ) {
    return { as: user }
  }
  if (other && (!owner || owner.uid === 0) && succeeds(commandOf({ seeming: other }, 'true', []))) {
    return { seeming: other }
  }
  throw new Error(
    `Postgres refuses to run as root, and no other user can reach ${places.join(' and ')}: run this as another user, or in a folder that everybody may enter.`,
  )
}

export function commandOf({ as, seeming }: RunsAs, command: string, args: string[]): UserCommand {
  if (!seeming) return { command, args, ...as }
  const names = [`--map-user=${seeming.uid}`, `--map-group=${seeming.gid}`]
  return { command: 'unshare', args: ['--user', ...names, command, ...args] }
}

function lookUp(name: string): { uid: number; gid: number } | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' })
    return status === 0 ? Number(stdout) : undefined
  })
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}

function succeeds({ command, args, ...options }: UserCommand): boolean {
  return spawnSync(command, args, { ...options, cwd: '/', stdio: 'ignore' }).status === 0
}
