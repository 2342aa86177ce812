import { createReadStream } from 'node:fs'
import { type Command, Option } from 'commander'
import { createSeal, type Seal } from 'mullion/images'
import { sqlConfig } from '../server/database.ts'
import { type Bind, type CommonOptions, type Context, withCommonOptions } from './command.ts'
import { EXIT } from './exit-code.ts'
import { openRecords } from './open.ts'
import { checkHeader, recordOf, refused } from './records/document.ts'
import { type ImageRecord, ON_CONFLICT, type OnConflict, type PutOutcome, putRecord } from './records/put.ts'
import { settled } from './records/settled.ts'

interface ImportOptions extends CommonOptions {
  readonly onConflict: OnConflict
  readonly dryRun: boolean
}

export type Counted = Record<PutOutcome, number>

export function addImport(program: Command, bind: Bind): void {
  withCommonOptions(program.command('import'))
    .summary('read records that `mullion export` wrote')
    .description('Adds the records of an export. What is there already is left alone, so it may run again.')
    .argument('<file>', 'file of an export, or - for standard input')
    .addOption(onConflictOption())
    .option('--dry-run', 'only say what would happen', false)
    .action(bind(importRecords))
}

export function onConflictOption(): Option {
  return new Option('--on-conflict <what>', 'when another record of the same id is there')
    .choices([...ON_CONFLICT])
    .default('fail')
}

async function importRecords(context: Context, options: ImportOptions, file: string): Promise<number> {
  const { config, output } = context
  const seal = createSeal(sqlConfig(config).encryptionKeys ?? [], false)
  await using registry = await openRecords(config)
  const counted: Counted = { added: 0, unchanged: 0, replaced: 0, kept: 0 }
  for await (const record of recordsOf(linesOf(file, context), file, seal)) {
    counted[await putRecord(registry, record, options)] += 1
    output.progress.show(() => textOf(counted))
  }
  const { dryRun } = options
  await output.say({ kind: 'summary', dryRun, ...counted }, `${dryRun ? 'would be: ' : ''}${textOf(counted)}`)
  return EXIT.fine
}

export function textOf({ added, unchanged, replaced, kept }: Counted): string {
  return `${added} added, ${unchanged} unchanged, ${replaced} replaced, ${kept} kept`
}

/** Not readline, which drops the errors of its input and leaves it open. */
async function* linesOf(file: string, { stdin, signal }: Context): AsyncGenerator<string> {
  const input = file === '-' ? stdin : createReadStream(file, { signal })
  let rest = ''
  for await (const text of input.setEncoding('utf8') as AsyncIterable<string>) {
    signal.throwIfAborted()
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

/** The records of an export, without its ends of lines. Rejects `invalid_argument` for a line that is no record, and for a file that does not say where it ends. */
export async function* recordsOf(lines: AsyncIterable<string>, file: string, seal: Seal): AsyncGenerator<ImageRecord> {
  let number = 0
  let images = 0
  let end: number | undefined
  for await (const line of lines) {
    number += 1
    const where = `${file}: line ${number}`
    if (end !== undefined) throw refused(where, 'goes on after its end')
    if (number === 1) {
      checkHeader(line, where)
      continue
    }
    const record = recordOf(line, where, seal)
    if ('end' in record) end = record.end
    else {
      images += 1
      yield { ...record, image: settled(record.image) }
    }
  }
  if (end === undefined) throw refused(file, 'was cut off: it has no last line')
  if (end !== images) throw refused(file, `was cut: ${end} records were written to it, ${images} are there`)
}
