import { abortScope, settledOrAborted } from './abort.ts'
import type { AddOptions, AddResult, TransferLimits } from './add-options.ts'
import { texts } from './arguments.ts'
import { idleError, watchdog } from './bytes.ts'
import { Intake, type IntakeRules } from './intake.ts'
import { type Location, makeLocation, schemeOf } from './location.ts'
import { type OpenedStore, translated, unsupported } from './opened.ts'
import type { OpenSource } from './source.ts'
import type { WriteResult } from './store.ts'
import { undo } from './undo.ts'

export interface Upload {
  readonly opened: OpenedStore
  readonly key: string
  readonly source: OpenSource
  readonly rules: IntakeRules
  readonly options: AddOptions & { readonly signal: AbortSignal }
  readonly limits: TransferLimits
  /** Errors of the caller's own functions, which reach it as they are. */
  readonly foreign: WeakSet<object>
}

/** The place of the object, once the store knows it. */
interface Place {
  at?: unknown
  /** The store said that the object is there. */
  committed: boolean
}

/** Opens the source, writes, verifies; takes back what it wrote when any of that fails. */
export async function attempt(upload: Upload): Promise<AddResult> {
  const { opened, rules, options, limits } = upload
  using scope = abortScope(options.signal)
  const idle = watchdog(limits.idleTimeoutMs, (whom, limitMs) => scope.abort(idleError(rules.label, whom, limitMs)))
  const place: Place = { committed: false }
  let taken: Intake | undefined
  try {
    taken = new Intake(own(upload, upload.source.open), rules, scope.signal, idle)
    idle.wait('store')
    const written = await write(upload, taken, scope.signal, place)
    const { size, hashes } = await taken.finish()
    options.signal.throwIfAborted()
    const metadata = texts(rules.label, written.metadata ?? {})
    return { location: locationOf(opened, written.at), store: opened.id, size, hashes, metadata }
  } catch (thrown) {
    const error = reasonOf(upload, taken, scope.signal, thrown)
    const undone = leftBehind(upload, place, thrown) ? await undo(opened, place.at, error) : error
    throw isTheirs(upload, error) ? error : undone
  } finally {
    idle.end()
    await taken?.release()
  }
}

async function write(
  { opened, key, rules, options, foreign }: Upload,
  taken: Intake,
  signal: AbortSignal,
  place: Place,
): Promise<WriteResult<unknown>> {
  if (!opened.store.write) throw unsupported(opened, 'add', 'is read-only')
  let announced: string | undefined
  const announce = async (at: unknown): Promise<void> => {
    place.at = at
    const uri = opened.spec.location.format(at)
    if (uri === announced) return
    announced = uri
    try {
      await options.onLocation?.(locationOf(opened, at))
    } catch (error) {
      throw marked(foreign, error)
    }
  }
  const metadata = options.metadata ?? {}
  const writing = opened.store.write(key, taken, { size: rules.size, metadata, signal, announce })
  const written = (await settledOrAborted(writing, signal, (late) => {
    void undo(opened, late.at, signal.reason)
  })) as WriteResult<unknown>
  place.at = written.at
  place.committed = true
  await announce(written.at)
  return written
}

/** Why the attempt failed: what the body threw counts more than what the store made of it, an abort more than both. */
function reasonOf(upload: Upload, taken: Intake | undefined, signal: AbortSignal, thrown: unknown): unknown {
  const { opened, key, foreign } = upload
  const failure = taken?.failure()
  const bodyFailed = failure !== undefined && !(signal.aborted && failure.error === signal.reason)
  if (bodyFailed && failure.foreign) return marked(foreign, failure.error)
  const error = bodyFailed ? failure.error : signal.aborted ? signal.reason : thrown
  if (isTheirs(upload, error)) return error
  return translated(opened, error, { operation: 'add', imageId: key })
}

/**
 * Whether an object is there under our key that must not be: committed, or left by a store that is not atomic. What the
 * store refused to replace is not ours, whatever else went wrong.
 */
function leftBehind({ opened }: Upload, place: Place, thrown: unknown): boolean {
  if (place.at === undefined) return false
  if (place.committed) return true
  return !opened.spec.capabilities.atomicWrite && translated(opened, thrown, {}).code !== 'already_exists'
}

function locationOf({ id, spec }: OpenedStore, at: unknown): Location {
  const uri = spec.location.format(at)
  return makeLocation(schemeOf(uri), id, uri)
}

/** Runs a function of the caller's; what it throws is the caller's own. */
function own<T>({ foreign }: Upload, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw marked(foreign, error)
  }
}

function marked(foreign: WeakSet<object>, error: unknown): unknown {
  if (typeof error === 'object' && error !== null) foreign.add(error)
  return error
}

/** Whether an error is the caller's own, or its reason to abort. */
export function isTheirs(
  { foreign, options: { signal } }: Pick<Upload, 'foreign' | 'options'>,
  error: unknown,
): boolean {
  if (signal.aborted && error === signal.reason) return true
  return typeof error === 'object' && error !== null && foreign.has(error)
}
