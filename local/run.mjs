// Every npm script starts here: plain JavaScript that the machine's own Node (20 or newer) can run before
// anything is installed. Installs what the lockfile asks for and is missing, then runs the given file with
// the Node that the project brings.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const stamp = path.join(root, 'node_modules', '.installed')

function install() {
  const wanted = createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  console.error('Installing what the lockfile lists (once; about a minute)…')
  const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) {
    console.error('npm ci failed: see above. Check the network and the npm registry, then run this again.')
    process.exit(1)
  }
  writeFileSync(stamp, wanted)
}

/** Runs until the child ends and ends as it did; a signal is passed on, so nothing outlives the terminal. */
function run(file, args) {
  const bin = path.join(root, 'node_modules', '.bin')
  const child = spawn(path.join(bin, 'node'), [path.join(root, file), ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` },
  })
  // Ctrl-C reaches the child by itself (same terminal); only a signal to this process alone is passed on.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 1 : (code ?? 1)
  })
}

install()
const [file, ...args] = process.argv.slice(2)
run(file, args)
