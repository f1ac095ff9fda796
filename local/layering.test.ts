import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './settings.ts'

/*
 * Imports go one way: worker → durable-objects → telemetry, and ml-service → telemetry. The two planes meet in
 * Postgres only. Tests may reach anywhere; what is shipped may not.
 */

const SCHEMA = ['migrations/schema.ts', 'migrations/alerting-schema.ts']

/** What each part may import besides itself: folders, or single files. */
const ALLOWED: Record<string, string[]> = {
  telemetry: [],
  migrations: [],
  dashboard: [],
  'durable-objects': ['telemetry', ...SCHEMA],
  worker: ['durable-objects', 'telemetry', ...SCHEMA],
  'ml-service': ['telemetry', ...SCHEMA],
  infra: ['local/ml-bundle.ts', 'local/settings.ts'], // synth builds the image's folder
}

const parts = Object.keys(ALLOWED)

interface Import {
  file: string
  /** A path from the root for files of ours, else the package as written. */
  imported: string
}

/** Specifiers of `import … from '…'`, `export … from '…'`, `import '…'` and `import('…')`, types included. */
function specifiersIn(source: string): string[] {
  const pattern =
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)|^\s*import\s*['"]([^'"]+)|\bimport\(\s*['"]([^'"]+)/gm
  return [...source.matchAll(pattern)].map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!)
}

function importsOf(part: string): Import[] {
  const files = globSync(`${part}/**/*.{ts,tsx}`, { cwd: ROOT }).filter(
    (file) => !/\.test\.tsx?$|\/(testing|dist|cdk\.out|node_modules)\//.test(file),
  )
  return files.flatMap((file) =>
    specifiersIn(readFileSync(path.join(ROOT, file), 'utf8')).map((specifier) => ({
      file,
      imported: specifier.startsWith('.') ? path.join(path.dirname(file), specifier) : specifier,
    })),
  )
}

const isWithin = (file: string, place: string) => file === place || file.startsWith(`${place}/`)
const isOurs = ({ imported }: Import) =>
  parts.concat('local', 'bench', 'e2e').some((part) => isWithin(imported, part))

test.each(Object.entries(ALLOWED))('%s imports nothing of ours but itself and %j', (part, allowed) => {
  const imports = importsOf(part)
  expect(imports.length).toBeGreaterThan(0)
  const strays = imports
    .filter(isOurs)
    .filter(({ imported }) => ![part, ...allowed].some((p) => isWithin(imported, p)))
  expect(strays).toEqual([])
})

test('telemetry, which runs on both planes, needs no package but these', () => {
  const packages = importsOf('telemetry').filter(
    (each) => !isOurs(each) && !each.imported.startsWith('node:'),
  )
  const allowed = ['valibot', 'ipaddr.js', '@bufbuild/protobuf/wire']
  expect(packages.filter(({ imported }) => !allowed.includes(imported))).toEqual([])
})

test('only the code that runs in Workers imports from cloudflare:', () => {
  const elsewhere = parts.filter((part) => part !== 'worker' && part !== 'durable-objects')
  const strays = elsewhere.flatMap(importsOf).filter(({ imported }) => imported.startsWith('cloudflare:'))
  expect(strays).toEqual([])
})

test('every kind of import is seen, and text that only looks like one is not', () => {
  const source = [
    `import a, { type B } from './a.ts'`,
    `import {\n  c,\n} from "./b.ts"`,
    `import type { D } from './c.ts'`,
    `export { e } from './d.ts'`,
    `export * from './e.ts'`,
    `import './f.ts'`,
    `const g = await import('./g.ts')`,
    `// taken from './h.ts'`,
    `const text = 'rows from ./i.ts'`,
  ].join('\n')
  expect(specifiersIn(source)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `./${name}.ts`))
})
