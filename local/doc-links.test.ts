import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from './settings.ts'

const DOCS = [
  'README.md',
  'infra/README.md',
  ...readdirSync(path.join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/** Links to files, seen from the page; and files that a page names in code style, seen from the repository. */
function filesNamedIn(page: string): string[] {
  const text = readFileSync(path.join(ROOT, page), 'utf8')
  const links = Array.from(text.matchAll(/\]\((?!\w+:)([^)#]+)(?:#[^)]*)?\)/g), ([, link]) =>
    path.join(path.dirname(page), link!),
  )
  const named = Array.from(text.matchAll(/`((?:[\w-]+\/)+[\w.-]+\.(?:ts|tsx|sql|md))`/g), ([, file]) => file!)
  return [...links, ...named]
}

it.each(DOCS)('every file that %s names is there', (page) => {
  expect(filesNamedIn(page).filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([])
})
