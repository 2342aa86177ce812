import { type Command, InvalidArgumentError } from 'commander'
import { isMullionError } from 'mullion'
import { resolveSecret } from '../../config/secrets.ts'
import { checkData } from '../check-data.ts'
import { type Bind, type CommonOptions, type Context, count, withCommonOptions } from '../command.ts'
import { EXIT, Misuse } from '../exit-code.ts'
import { type Counted, onConflictOption, textOf as countsOf } from '../import.ts'
import { openAllStores, openRecords } from '../open.ts'
import { inParallel } from '../parallel.ts'
import { type OnConflict, putRecord } from '../records/put.ts'
import { convert } from './convert.ts'
import type { ReadOnlyDatabase } from './database.ts'
import { decryptWith, isMetadataKey } from './decrypt.ts'
import type { GlanceFinding } from './findings.ts'
import type { LocationOptions, LocationRule } from './locations.ts'
import { openDatabase } from './open.ts'
import { checkTables, countImages, type GlanceRows, readImages } from './rows.ts'
import { parseDatabaseUrl } from './url.ts'

interface ImportGlanceOptions extends CommonOptions {
  readonly mapLocation: readonly LocationRule[]
  readonly metadataEncryptionKey?: string
  readonly onConflict: OnConflict
  readonly dryRun: boolean
  readonly verify: boolean
  readonly concurrency: number
}

export function addImportGlance(program: Command, bind: Bind): void {
  withCommonOptions(program.command('import-glance'))
    .summary('take over the records of an OpenStack Glance')
    .description(
      'Reads the database of an OpenStack Glance (Juno and later) and adds its images, members and tags to the records.\n' +
        'The database is only read, and no data is moved or touched: the stores have to be configured where Glance had them.',
    )
    .argument('<database-url>', '`connection` of glance-api.conf; env:NAME and file:PATH keep it off the command line')
    .option('--map-location <from=to>', 'replace the beginning of locations (repeatable)', rule, [])
    .option('--metadata-encryption-key <key>', 'of glance-api.conf; env:NAME and file:PATH as well')
    .addOption(onConflictOption())
    .option('--dry-run', 'only say what would happen', false)
    .option('--verify', 'ask the stores whether the data is there', false)
    .option('--concurrency <number>', 'images at a time', count, 8)
    .action(bind(importGlance))
}

interface Run {
  readonly context: Context
  readonly options: ImportGlanceOptions
  readonly locations: LocationOptions
  readonly registry: Awaited<ReturnType<typeof openRecords>>
  readonly counted: Counted & { refused: number; findings: number }
  readonly total: number
}

async function importGlance(context: Context, options: ImportGlanceOptions, url: string): Promise<number> {
  const { config, env, say, signal } = context
  const address = parseDatabaseUrl(resolveSecret(url, env, 'import-glance'))
  const decrypt = decryptFor(options, env)
  await using registry = await openRecords(config)
  const { stores } = await openAllStores(config, say)
  await using _stores = stores
  const database = await openDatabase(address)
  try {
    await checkTables(database)
    const counted = { added: 0, unchanged: 0, replaced: 0, kept: 0, refused: 0, findings: 0 }
    const locations = { rules: options.mapLocation, decrypt, stores }
    const run = { context, options, locations, registry, counted, total: await countImages(database) }
    await inParallel(readImages(database, signal), options.concurrency, (rows) => takeOver(run, rows))
    return await conclude(run)
  } finally {
    await closed(database)
  }
}

async function takeOver(run: Run, rows: GlanceRows): Promise<void> {
  const { context, options, locations, registry, counted } = run
  const { record, findings } = convert(rows, locations)
  for (const finding of findings) await report(run, finding)
  if (record) {
    const { id } = record.image
    try {
      counted[await putRecord(registry, record, options)] += 1
    } catch (error) {
      if (!isMullionError(error, 'invalid_argument') && !isMullionError(error, 'conflict')) throw error
      counted.refused += 1
      await report(run, { code: 'record-refused', image: id, detail: error.message })
    }
    if (options.verify) {
      for (const finding of await checkData(locations.stores, record.image, context.signal)) {
        // told already, by the location itself
        if (finding.code !== 'location-unserved') await report(run, { image: id, ...finding })
      }
    }
  } else counted.refused += 1
  context.output.progress.show(() => `${done(counted)} of ${run.total} images`)
}

async function conclude({ context, options: { dryRun }, counted, total }: Run): Promise<number> {
  const { refused, findings } = counted
  const text = `${dryRun ? 'would be: ' : ''}${countsOf(counted)}, ${refused} not taken over; ${findings} findings`
  await context.output.say({ kind: 'summary', dryRun, images: total, ...counted }, text)
  return findings === 0 ? EXIT.fine : EXIT.found
}

async function report({ context, counted }: Run, finding: GlanceFinding): Promise<void> {
  counted.findings += 1
  const { code, image, detail } = finding
  const at = finding.location === undefined || detail.includes(finding.location) ? '' : ` ${finding.location}:`
  await context.output.say({ kind: 'finding', ...finding }, `${code}: image ${image}:${at} ${detail}`)
}

function done({ added, unchanged, replaced, kept, refused }: Run['counted']): number {
  return added + unchanged + replaced + kept + refused
}

function decryptFor({ metadataEncryptionKey: given }: ImportGlanceOptions, env: Context['env']) {
  if (given === undefined) return undefined
  const key = resolveSecret(given, env, '--metadata-encryption-key')
  if (!isMetadataKey(key)) throw new Misuse('--metadata-encryption-key: expected 16, 24 or 32 octets')
  return decryptWith(key)
}

/** For commander: FROM=TO, where TO may hold more of them. */
function rule(text: string, before: readonly LocationRule[]): readonly LocationRule[] {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('expected FROM=TO')
  return [...before, { from: text.slice(0, at), to: text.slice(at + 1) }]
}

/** Nothing was written, so that there is nothing to lose in a connection that does not close in order. */
async function closed(database: ReadOnlyDatabase): Promise<void> {
  await database.close().catch(() => {})
}
