// Every npm script starts here: plain JavaScript that the machine's own Node (20 or newer) can run before
// anything is installed. Installs what the lockfile asks for and is missing, then runs the given file with
// the Node that the project brings.
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

function install() {
  if (isInstalled()) return
  console.error('Installing what the lockfile lists (once; about a minute)…')
  const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status === 0) return
  console.error('npm ci failed: see above. Check the network and the npm registry, then run this again.')
  process.exit(1)
}

/** npm writes node_modules/.package-lock.json last: it lists what is really there. */
function isInstalled() {
  const wanted = packagesOf('package-lock.json')
  const present = packagesOf('node_modules/.package-lock.json')
  if (!wanted) throw new Error('package-lock.json is missing.')
  if (!present) return false
  return Object.entries(wanted).every(
    ([name, { version, optional }]) => name === '' || optional || present[name]?.version === version,
  )
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(path.join(root, file), 'utf8')).packages
  } catch {
    return undefined
  }
}

/** Runs until the child ends and ends as it did; a signal is passed on, so nothing outlives the terminal. */
function run(file, args) {
  const bin = path.join(root, 'node_modules', '.bin')
  const child = spawn(path.join(bin, 'node'), [path.join(root, file), ...args], {
    cwd: root,
    // By the channel the child can tell when this process was killed.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  if (process.env['npm_lifecycle_event']) onOrphaned(() => child.kill('SIGTERM')) // npm itself was killed
  child.on('error', (error) => {
    console.error(`Cannot run the project's Node: ${error.message}. Delete node_modules and run this again.`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 1 : (code ?? 1)
  })
}

function onOrphaned(end) {
  const parent = process.ppid
  setInterval(() => process.ppid === parent || end(), 1000).unref()
}

install()
const [file, ...args] = process.argv.slice(2)
run(file, args)
