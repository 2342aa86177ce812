import { type Command, InvalidArgumentError, Option } from 'commander'
import { isMullionError } from 'mullion'
import { type Bind, type CommonOptions, type Context, count, duration, several, withCommonOptions } from '../command.ts'
import { EXIT, Misuse } from '../exit-code.ts'
import { type OpenedStores, openRecords, openStores, operatorPorts } from '../open.ts'
import { type Diagnosis, type Finding, type FindingCode, REPAIRABLE, type Repair } from './findings.ts'
import { createInventory } from './inventory.ts'
import { examineUnnamed, takeInventory } from './objects.ts'
import { examineRecords } from './records.ts'
import { examineTasks } from './tasks.ts'

interface DoctorOptions extends CommonOptions {
  /** Undefined: only look. True: all that are safe. */
  readonly fix?: true | readonly FindingCode[]
  readonly store?: readonly string[]
  readonly grace: number
  readonly partialAge: number
  readonly concurrency: number
}

export function addDoctor(program: Command, bind: Bind): void {
  withCommonOptions(program.command('doctor'))
    .summary('compare the records with what the stores hold')
    .description(
      'Looks for images without their data, data without an image, and what interrupted uploads, copies and deletions\n' +
        'left. May run beside servers. Exit code 3 when something is left that was not repaired.',
    )
    .option('--fix [classes]', `repair: all, or some of ${REPAIRABLE.join(',')}`, classes)
    .option('--store <name>', 'only this store (repeatable)', several)
    .addOption(durationOption('--grace <duration>', 'leave alone what changed within this time', 3_600_000, '1h'))
    .addOption(durationOption('--partial-age <duration>', 'how old an unfinished write has to be', 86_400_000, '1d'))
    .option('--concurrency <number>', 'records at a time', count, 8)
    .action(bind(doctor))
}

function durationOption(flags: string, description: string, ms: number, text: string): Option {
  return new Option(flags, description).argParser(duration).default(ms, text)
}

async function doctor(context: Context, options: DoctorOptions): Promise<number> {
  const { config, output, say } = context
  await using registry = await openRecords(config)
  const opened = await openStores(config, say)
  await using stores = opened.stores
  const tally = { findings: 0, repaired: 0 }
  const run: Diagnosis = {
    ports: operatorPorts(registry, stores),
    ...opened,
    ...settingsOf(context, options, opened),
    report: reporter(context, options, tally),
  }
  using inventory = createInventory()
  for (const [store, error] of run.failed) {
    await run.report({ code: 'store-unopened', store, detail: error instanceof Error ? error.message : String(error) })
  }
  const unlisted = await takeInventory(run, inventory)
  const { images, unreadable } = await examineRecords(run, inventory)
  const tasks = await examineTasks(run)
  await examineUnnamed(run, inventory, unreadable)
  const { findings, repaired } = tally
  const summary = `${images} records, ${tasks} open tasks: ${findings} findings, ${repaired} repaired`
  await output.say({ kind: 'summary', images, tasks, unlisted, ...tally }, summary)
  return findings === repaired ? EXIT.fine : EXIT.found
}

function settingsOf(
  { config, output, signal, say }: Context,
  { fix, store, grace, partialAge, concurrency }: DoctorOptions,
  { specs, failed }: OpenedStores,
): Omit<Diagnosis, 'ports' | 'stores' | 'specs' | 'failed' | 'report'> {
  const unknown = store?.find((name) => !Object.hasOwn(specs, name) && !failed.has(name))
  if (unknown !== undefined)
    throw new Misuse(`--store: no such store, got ${unknown}; known: ${Object.keys(specs).join(', ')}`)
  const { scrubTime, wakeupTime } = config.deletion
  return {
    wanted: new Set((store ?? Object.keys(specs)).filter((name) => Object.hasOwn(specs, name))),
    named: (code) => Array.isArray(fix) && fix.includes(code),
    storesNamed: store !== undefined,
    startedAt: new Date(),
    graceMs: grace,
    partialAgeMs: Math.max(partialAge, grace),
    scrubMs: (scrubTime + wakeupTime) * 1000,
    lanes: concurrency,
    signal,
    say,
    progress: (text) => output.progress.show(text),
  }
}

/** Tells a finding, after it was repaired if that was asked for. */
function reporter(
  { output, signal }: Context,
  { fix }: DoctorOptions,
  tally: { findings: number; repaired: number },
): Diagnosis['report'] {
  const asked = (code: FindingCode): boolean => fix === true || (fix?.includes(code) ?? false)
  return async (finding, repair) => {
    tally.findings += 1
    const refusal = repair && asked(finding.code) ? await attempt(repair, signal) : undefined
    const state = stateOf(repair, asked(finding.code), refusal)
    if (state === 'done') tally.repaired += 1
    const detail = refusal === undefined ? {} : { refusal }
    await output.say({ kind: 'finding', ...finding, repair: state, ...detail }, textOf(finding, state, refusal))
  }
}

type RepairState = 'done' | 'refused' | 'possible' | 'none'

function stateOf(repair: Repair | undefined, wasAsked: boolean, refusal: string | undefined): RepairState {
  if (repair === undefined) return 'none'
  if (!wasAsked) return 'possible'
  return refusal === undefined ? 'done' : 'refused'
}

/** Why it was not repaired; one repair that fails is no reason to leave the others out. */
async function attempt(repair: Repair, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await repair()
  } catch (error) {
    if (signal.aborted || !isMullionError(error)) throw error
    return error.message
  }
}

function textOf({ code, detail, ...about }: Finding, state: RepairState, refusal: string | undefined): string {
  const parts = [
    about.image && `image ${about.image}`,
    about.task && `task ${about.task}`,
    about.store,
    about.location ?? about.name,
  ]
  const size = about.size === undefined ? '' : ` (${about.size} bytes)`
  const end = { done: '; repaired', refused: `; not repaired: ${refusal}`, possible: '', none: '' }[state]
  return `${code}: ${parts.filter(Boolean).join(' ')}: ${detail}${size}${end}`
}

/** For commander: `--fix=a,b`. */
function classes(text: string): readonly FindingCode[] {
  const known: readonly string[] = REPAIRABLE
  const named = text.split(',').map((name) => name.trim())
  const wrong = named.find((name) => !known.includes(name))
  if (wrong === undefined) return named as readonly FindingCode[]
  throw new InvalidArgumentError(`cannot repair ${JSON.stringify(wrong)}; known: ${known.join(', ')}`)
}
