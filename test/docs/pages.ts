import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorTable, stateDiagram, transitionTable, withGenerated } from './reference.ts'

const root = join(import.meta.dirname, '../..')

export interface Page {
  readonly path: string
  /** As it is on disk. */
  readonly current: string
  /** As the sources say it should be. */
  readonly expected: string
}

/** The pages under docs that have generated parts. */
export async function generatedPages(): Promise<readonly Page[]> {
  const errors = errorTable(await readFile(join(root, 'src/errors.ts'), 'utf8'))
  return Promise.all([
    page('docs/errors.md', { errors }),
    page('docs/life-cycle.md', { diagram: stateDiagram(), transitions: transitionTable() }),
  ])
}

async function page(name: string, parts: Readonly<Record<string, string>>): Promise<Page> {
  const path = join(root, name)
  const current = await readFile(path, 'utf8')
  const expected = Object.entries(parts).reduce(
    (text, [part, generated]) => withGenerated(text, part, generated),
    current,
  )
  return { path, current, expected }
}
