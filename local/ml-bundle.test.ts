import { spawnSync } from 'node:child_process'
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleMl } from './ml-bundle.ts'

let dir: string
let bundle: string

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'edgepulse-bundle-'))
  bundle = path.join(dir, 'bundle')
  await bundleMl(bundle)
  // Alone in a folder, as if node_modules had never existed.
  await copyFile(path.join(bundle, 'cli.js'), path.join(dir, 'cli.js'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const run = (...args: string[]) =>
  spawnSync(process.execPath, ['cli.js', ...args], { cwd: dir, env: {}, encoding: 'utf8' })

test('the bundle is one file that runs without anything around it: wrong usage exits with 2', () => {
  const { status, stdout, stderr } = run('nonsense')
  expect(stderr).toContain('There is no command "nonsense"')
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
})

test('a setting that is missing is wrong usage too', () => {
  const { status, stderr } = run('score', '--all')
  expect(stderr).toContain('DATABASE_URL')
  expect(status).toBe(2)
})

test('a database that does not answer exits with 1 and a JSON line', () => {
  const environment = { DATABASE_URL: 'postgresql://u:p@127.0.0.1:1/d', MODEL_DIR: dir }
  const { status, stderr } = spawnSync(process.execPath, ['cli.js', 'score', '--all'], {
    cwd: dir,
    env: environment,
    encoding: 'utf8',
  })
  expect(JSON.parse(stderr)).toMatchObject({ level: 'error' })
  expect(status).toBe(1)
})

test('the folder holds what the Dockerfile copies and what it needs to be built, nothing else', async () => {
  const copied = (await readFile(path.join(bundle, 'Dockerfile'), 'utf8')).match(/^COPY (.+) \.\/$/m)?.[1]
  const files = [...copied!.split(' '), 'Dockerfile', '.dockerignore']
  expect((await readdir(bundle)).sort()).toEqual(files.sort())
  const ignored = await readFile(path.join(bundle, '.dockerignore'), 'utf8')
  expect(ignored.trim().split('\n')).toEqual(['*', ...copied!.split(' ').map((file) => `!${file}`)])
})

test('the same sources give the same bytes in another place', async () => {
  const again = path.join(dir, 'again')
  await bundleMl(again)
  for (const file of ['cli.js', 'cli.js.map']) {
    const [first, second] = await Promise.all(
      [bundle, again].map((folder) => readFile(path.join(folder, file))),
    )
    expect(second!.equals(first!), file).toBe(true)
  }
})
