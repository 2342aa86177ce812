import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { link, rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { SqlRegistry } from '@mullion/sql'
import type { Command } from 'commander'
import { createSeal, type Seal } from 'mullion/images'
import type { Config } from '../config/config.ts'
import { sqlConfig } from '../server/database.ts'
import { type Bind, type CommonOptions, type Context, withCommonOptions } from './command.ts'
import { EXIT, Misuse } from './exit-code.ts'
import { openRecords } from './open.ts'
import { documentOf, headerOf } from './records/document.ts'
import { walk } from './records/walk.ts'

interface ExportOptions extends CommonOptions {
  readonly output?: string
  readonly force: boolean
  readonly withSecrets: boolean
}

export function addExport(program: Command, bind: Bind): void {
  withCommonOptions(program.command('export'))
    .summary('write all records as JSON lines')
    .description(
      'Writes the records of all images, deleted ones included, with members, as JSON lines: see docs/command-line.md.\n' +
        'Locations may hold credentials: they are sealed under the first of registry.encryption_keys.',
    )
    .option('-o, --output <file>', 'write there, not to standard output; appears when it is complete')
    .option('--force', 'replace the file', false)
    .option('--with-secrets', 'write locations as plain text, for a registry with other keys or none', false)
    .action(bind(exportRecords))
}

async function exportRecords(context: Context, options: ExportOptions): Promise<number> {
  const seal = sealFor(context.config, options.withSecrets)
  await using registry = await openRecords(context.config)
  const counted = { images: 0 }
  const lines = linesOf(registry, seal, context.signal, () => {
    counted.images += 1
    context.output.progress.show(() => `${counted.images} records exported`)
  })
  const { output: file } = options
  if (file === undefined) {
    for await (const text of lines) await context.output.raw(text)
    return EXIT.fine
  }
  await writeWhole(file, lines, options.force, context.signal)
  await context.output.say({ kind: 'summary', file, ...counted }, `${counted.images} records written to ${file}`)
  return EXIT.fine
}

function sealFor(config: Config, plain: boolean): Seal {
  if (plain) return createSeal([], false)
  const { encryptionKeys = [] } = sqlConfig(config)
  if (encryptionKeys.length > 0) return createSeal(encryptionKeys, false)
  throw new Misuse(
    'export: locations may hold credentials, and registry.encryption_keys names no key to seal them with: ' +
      'add one, or say --with-secrets to write them as plain text',
  )
}

/** Throws the error of a record that cannot be opened: an export that leaves records out would be trusted. */
export async function* linesOf(
  { images, members }: Pick<SqlRegistry, 'images' | 'members'>,
  seal: Seal,
  signal: AbortSignal,
  onRecord: () => void,
): AsyncGenerator<string> {
  let written = 0
  yield line(headerOf(new Date()))
  for await (const walked of walk(images, { signal })) {
    if (walked.kind === 'unreadable') throw walked.error
    yield line(documentOf(walked.image, await members.list(walked.id), seal))
    written += 1
    onRecord()
  }
  yield line({ kind: 'end', images: written })
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`
}

/** The file is complete and on the disk, or not there. */
async function writeWhole(
  file: string,
  lines: AsyncIterable<string>,
  force: boolean,
  signal: AbortSignal,
): Promise<void> {
  const partial = `${file}.${randomUUID()}.part`
  try {
    const target = createWriteStream(partial, { flags: 'wx', mode: 0o600, flush: true })
    await once(target, 'open')
    await pipeline(Readable.from(lines), target, { signal })
    if (force) await rename(partial, file)
    else await link(partial, file) // refuses an existing name
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new Misuse(`export: ${file} is there (see --force)`)
    if (error instanceof Error && 'syscall' in error)
      throw new Error(`export: ${file}: ${error.message}`, { cause: error })
    throw error
  } finally {
    await rm(partial, { force: true })
  }
}
