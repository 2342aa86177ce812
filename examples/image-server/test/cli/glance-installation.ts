import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import { type Installation, installation, type mullion, temporaryDirectory } from './command-line.ts'
import { glanceDatabase } from './glance-rows.ts'

export interface Glance extends Installation {
  readonly database: DatabaseSync
  readonly file: string
  readonly url: string
  readonly images: string
  readonly importGlance: (...args: readonly string[]) => ReturnType<typeof mullion>
}

/** A Glance's database, and an installation whose file store is where that Glance kept its images. */
export async function glance(release: 'newton' | 'current' = 'current'): Promise<Glance> {
  const directory = await temporaryDirectory()
  const images = join(directory, 'images')
  await mkdir(images)
  const file = join(directory, 'glance.sqlite')
  const database = glanceDatabase(file, release)
  onTestFinished(() => database.close())
  const config = join(directory, 'mullion.toml')
  await writeFile(config, `[stores.file]\ndir = "${images}"\n`)
  const made = await installation({ MULLION_CONFIG: config })
  const url = `sqlite:///${file}`
  return { ...made, database, file, url, images, importGlance: (...args) => made.run('import-glance', url, ...args) }
}
