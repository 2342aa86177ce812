import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Image } from 'mullion/images'
import { expect } from 'vitest'
import { type Installation, installation, jsonLines } from './command-line.ts'
import { LONG_AGO, oldImage } from './images.ts'

interface Found {
  readonly code: number
  readonly found: readonly Record<string, unknown>[]
  readonly summary: Record<string, unknown> | undefined
}

/** An installation whose default store has its directory; files get in and records are made beside the server. */
export async function patient(env: Readonly<Record<string, string>> = {}): Promise<Installation> {
  const made = await installation(env)
  await mkdir(join(made.dir, 'images'))
  return made
}

/** Puts data where the file store keeps it. */
export async function put({ dir }: Installation, key: string, content: string, at: Date = LONG_AGO): Promise<string> {
  const path = join(dir, 'images', key)
  await writeFile(path, content)
  await utimes(path, at, at)
  return `file://${path}`
}

/** An image with its data, as an upload leaves them. */
export async function sound(made: Installation, rest: Partial<Image> = {}): Promise<Image> {
  const image = oldImage({ size: 4 })
  const location = { uri: await put(made, image.id, 'data'), metadata: { store: 'file' }, status: 'active' } as const
  return (await made.open()).images.insert({ ...image, status: 'active', locations: [location], ...rest })
}

/** What `doctor --json` finds. */
export async function findings(made: Installation, ...args: readonly string[]): Promise<Found> {
  const { code, stdout, stderr } = await made.run('doctor', '--json', ...args)
  expect(stderr.replaceAll(/mullion: the upload of an image was interrupted.*\n/g, '')).toBe('')
  const lines = jsonLines(stdout)
  return { code, found: lines.filter(({ kind }) => kind === 'finding'), summary: lines.at(-1) }
}

export const files = ({ dir }: Installation): Promise<string[]> => readdir(join(dir, 'images'))
