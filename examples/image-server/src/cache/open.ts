import { mkdir, opendir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MullionError } from 'mullion'
import { type Catalog, openCatalog } from './catalog.ts'
import { Entries } from './entries.ts'
import { Shelf, type ShelfOptions } from './shelf.ts'

export interface Opened {
  readonly shelf: Shelf
  readonly catalog: Catalog
}

const OURS = /^([0-9a-f-]{36})\.(image|part)$/

/**
 * Opens the directory (0700, made when missing), removes from it what an earlier process left half done, and nothing
 * else. Rejects `in_use` when another server has it, `invalid_config` when it cannot be made or used.
 */
export async function openShelf(options: ShelfOptions): Promise<Opened> {
  const { dir } = options
  const catalog = await mkdir(dir, { recursive: true, mode: 0o700 }).then(
    () => openCatalog(dir),
    (error: unknown) => {
      const text = `cache directory ${dir}: cannot be made: ${error instanceof Error ? error.message : String(error)}`
      throw new MullionError('invalid_config', text, { details: { plugin: 'cache', issues: [text] }, cause: error })
    },
  )
  try {
    const rows = catalog.entries()
    const there = await reconcile(dir, new Set(rows.map(({ file }) => file)))
    catalog.remove(rows.flatMap(({ key, file }) => (there.has(file) ? [] : [key])))
    const present = rows.filter(({ file }) => there.has(file))
    const shelf = new Shelf(options, new Entries(catalog, present, options.log))
    await shelf.shrink()
    return { shelf, catalog }
  } catch (error) {
    catalog.close()
    throw error
  }
}

/** Removes files that were never finished or that the catalog does not know; returns the others. */
async function reconcile(dir: string, known: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const there = new Set<string>()
  for await (const { name } of await opendir(dir)) {
    const [, file, kind] = OURS.exec(name) ?? []
    if (file === undefined) continue
    if (kind === 'image' && known.has(file)) there.add(file)
    else await rm(join(dir, name), { force: true })
  }
  return there
}
