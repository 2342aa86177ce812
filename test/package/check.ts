import { globSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { command } from './command.ts'
import { installConsumer, loadEntries, runServer } from './consumer.ts'
import { faultsOf, packAll, type Tarball } from './tarballs.ts'

/** Checks what would be published: the packed tarballs, and a project that installs them. */
const root = join(import.meta.dirname, '../..')
const scratch = await mkdtemp(join(tmpdir(), 'mullion-package-'))
try {
  const tarballs = await step('pack', () => packAll(root, scratch))
  await step('contents', () => assertContents(tarballs))
  for (const { manifest, path } of tarballs) {
    await step(`publint ${manifest.name}`, () => tool('publint', 'run', path, '--strict'))
    await step(`attw ${manifest.name}`, () => tool('attw', path, '--profile', 'esm-only', '--no-definitely-typed'))
  }
  const consumer = join(scratch, 'consumer')
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  await step('install the tarballs', () => installConsumer(consumer, tarballs, readme))
  for (const tarball of tarballs) {
    await step(`import and require ${tarball.manifest.name}`, () => loadEntries(consumer, tarball))
  }
  await step('type-check against the tarballs', () => tool('tsc', '--project', consumer))
  for (const file of globSync('readme-*.ts', { cwd: consumer })) {
    await step(`run ${file}`, () => command(process.execPath, [file], { cwd: consumer }))
  }
  await step('run the installed server', () => runServer(consumer))
} finally {
  await rm(scratch, { recursive: true })
}

/** A tool of this repository. */
function tool(name: string, ...args: readonly string[]): Promise<string> {
  return command(join(root, 'node_modules/.bin', name), args, { cwd: root })
}

async function assertContents(tarballs: readonly Tarball[]): Promise<void> {
  const faults = (await Promise.all(tarballs.map(faultsOf))).flat()
  if (faults.length > 0) throw new Error(faults.join('\n'))
}

async function step<T>(title: string, run: () => Promise<T>): Promise<T> {
  const begin = performance.now()
  const result = await run().catch((error: unknown) => {
    throw new Error(`${title} failed`, { cause: error })
  })
  console.log(`ok ${title} (${((performance.now() - begin) / 1000).toFixed(1)} s)`)
  return result
}
