import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

let outdir: string
beforeAll(async () => {
  outdir = await mkdtemp(path.join(tmpdir(), 'edgepulse-synth-'))
})
afterAll(() => rm(outdir, { recursive: true, force: true }))

test('synth writes a template with nothing but Node: no account, no Docker', async () => {
  const synth = fileURLToPath(new URL('./synth.ts', import.meta.url))
  // No PATH, no HOME, no credentials: nothing but Node itself can be found.
  const { status, stderr } = spawnSync(process.execPath, [synth], {
    env: { CDK_OUTDIR: outdir },
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect((await readdir(outdir)).filter((name) => name.endsWith('.template.json'))).toEqual([
    'EdgePulseMl.template.json',
  ])
})
