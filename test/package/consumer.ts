import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { startBuiltServer } from '../bench/server-process.ts'
import { codeBlocks } from '../docs/markdown.ts'
import { command } from './command.ts'
import type { Tarball } from './tarballs.ts'

const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
  },
  include: ['*.ts'],
}

/** A project of a stranger: installs the tarballs and has the TypeScript blocks of the README in it. */
export async function installConsumer(directory: string, tarballs: readonly Tarball[], readme: string): Promise<void> {
  const dependencies = Object.fromEntries(tarballs.map(({ manifest, path }) => [manifest.name, `file:${path}`]))
  await mkdir(directory)
  await writeJson(join(directory, 'package.json'), {
    private: true,
    type: 'module',
    dependencies: { ...dependencies, zod: versionOf('zod') },
    devDependencies: { '@types/node': versionOf('@types/node') },
  })
  await writeJson(join(directory, 'tsconfig.json'), TSCONFIG)
  const blocks = codeBlocks(readme).filter(({ language }) => language === 'ts')
  await Promise.all(blocks.map(({ text, line }) => writeFile(join(directory, `readme-${line}.ts`), text)))
  await writeFile(join(directory, 'disk.img'), randomBytes(100_000))
  await command('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: directory })
}

/** Loads every entry point by `import` and by `require`, which works as long as nothing awaits at the top level. */
export async function loadEntries(directory: string, { manifest }: Tarball): Promise<void> {
  for (const key of Object.keys(manifest.exports ?? {}).filter((name) => !name.endsWith('.json'))) {
    const name = JSON.stringify(join(manifest.name, key))
    await command(process.execPath, ['--input-type=module', '-e', `await import(${name})`], { cwd: directory })
    await command(process.execPath, ['--input-type=commonjs', '-e', `require(${name})`], { cwd: directory })
  }
}

/** Starts the installed server, asks it something, and stops it as an operator would. */
export async function runServer(directory: string): Promise<void> {
  const main = join(directory, 'node_modules/@mullion/image-server/dist/main.js')
  await using server = await startBuiltServer(main, { dataDir: join(directory, 'data') })
  const response = await fetch(`${server.url}/v1/images/detail`)
  if (response.status !== 200) throw new Error(`expected 200, got ${response.status}: ${await response.text()}`)
}

/** As installed here. */
function versionOf(name: string): string {
  return (createRequire(import.meta.url)(`${name}/package.json`) as { readonly version: string }).version
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFile(path, JSON.stringify(value, null, 2))
}
