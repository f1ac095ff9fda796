import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { build } from 'esbuild'
import { ROOT } from './settings.ts'

const SOURCE = path.join(ROOT, 'ml-service')

/** Packages of CommonJS inside an ES module still call `require` for Node's own modules. */
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`

/**
 * Makes `folder` anew with what the container holds: the ML service as one file with all its dependencies, and
 * the Dockerfile. The same sources give the same bytes wherever they are built.
 */
export async function bundleMl(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await build({
    entryPoints: [path.join(SOURCE, 'cli.ts')],
    outfile: path.join(folder, 'cli.js'),
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: REQUIRE },
    // pg asks for these only where they exist: its native binding, and the sockets of Workers.
    external: ['pg-native', 'cloudflare:sockets'],
    sourcemap: true,
    sourcesContent: false,
    minify: false,
    logLevel: 'error',
  })
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }\n')
  for (const file of ['Dockerfile', '.dockerignore']) {
    await copyFile(path.join(SOURCE, file), path.join(folder, file))
  }
}
