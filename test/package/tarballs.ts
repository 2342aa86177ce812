import { globSync, readFileSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { command } from './command.ts'
import { importsOf } from './import-rules.ts'

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string | { readonly types?: string; readonly default?: string }>>
  readonly bin?: Readonly<Record<string, string>>
}

export interface Tarball {
  readonly manifest: Manifest
  readonly path: string
  /** Where it was unpacked. */
  readonly directory: string
}

/** Packs every package that can be published. They must have been built. */
export async function packAll(root: string, destination: string): Promise<readonly Tarball[]> {
  const manifests = ['package.json', ...globSync('{backends,examples}/*/package.json', { cwd: root })]
  const tarballs: Tarball[] = []
  for (const file of manifests) {
    const manifest = JSON.parse(readFileSync(join(root, file), 'utf8')) as Manifest
    if (!manifest.private) tarballs.push(await pack(dirname(join(root, file)), manifest, destination))
  }
  return tarballs
}

async function pack(source: string, manifest: Manifest, destination: string): Promise<Tarball> {
  const printed = await command('npm', ['pack', '--json', '--pack-destination', destination], { cwd: source })
  const [packed] = JSON.parse(printed) as readonly [{ readonly filename: string }]
  const path = join(destination, packed.filename)
  const directory = join(destination, packed.filename.replace(/\.tgz$/, ''))
  await mkdir(directory)
  await command('tar', ['xzf', path, '-C', directory, '--strip-components=1'], { cwd: destination })
  return { manifest, path, directory }
}

/** What is missing in a tarball, or should not be there. */
export async function faultsOf({ manifest, directory }: Tarball): Promise<readonly string[]> {
  const files = globSync('**/*', { cwd: directory })
  const targets = Object.values(manifest.exports ?? {}).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : [entry.types, entry.default],
  )
  const wanted = ['LICENSE', 'README.md', 'package.json', ...targets, ...Object.values(manifest.bin ?? {})]
  const missing = wanted.filter((file) => file !== undefined && !files.includes(join(file)))
  const extra = files.filter((file) => /(^|\/)(test|node_modules)(\/|$)|\.(log|tgz|tsbuildinfo)$/.test(file))
  return [
    ...missing.map((file) => `${manifest.name}: ${file} is missing`),
    ...extra.map((file) => `${manifest.name}: ${file} does not belong there`),
    ...(manifest.name === 'mullion' ? await foreignImports(directory) : []),
  ]
}

/** The core depends on nothing, its declarations included. */
async function foreignImports(directory: string): Promise<readonly string[]> {
  const files = globSync('dist/*.{js,d.ts}', { cwd: directory })
  const texts = await Promise.all(
    files.map(async (file) => importsOf(file, await readFile(join(directory, file), 'utf8'))),
  )
  const foreign = texts.flat().filter(({ specifier }) => !/^(\.|node:)/.test(specifier))
  return foreign.map(({ file, specifier }) => `mullion: ${file} imports ${specifier}`)
}
