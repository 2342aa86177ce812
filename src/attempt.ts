import { abortScope } from './abort.ts'
import type { AddOptions, AddResult, TransferLimits } from './add-options.ts'
import { texts } from './arguments.ts'
import { idleError, watchdog } from './bytes.ts'
import { Intake, type IntakeRules } from './intake.ts'
import { translated, unsupported } from './opened.ts'
import { isTheirs, locationOf, make, type Making, marked, type Place, unmake } from './place.ts'
import type { OpenSource } from './source.ts'
import type { WriteResult } from './store.ts'

export interface Upload extends Making {
  readonly source: OpenSource
  readonly rules: IntakeRules
  readonly options: AddOptions & { readonly signal: AbortSignal }
  readonly limits: TransferLimits
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
    throw await unmake(upload, place, error, thrown)
  } finally {
    idle.end()
    await taken?.release()
  }
}

async function write(upload: Upload, taken: Intake, signal: AbortSignal, place: Place): Promise<WriteResult<unknown>> {
  const { opened, key, rules, options } = upload
  const { write: store } = opened.store
  if (!store) throw unsupported(opened, 'add', 'is read-only')
  const metadata = options.metadata ?? {}
  const alive = (): void => taken.alive()
  return make(upload, place, signal, (announce) =>
    store(key, taken, { size: rules.size, metadata, signal, announce, alive }),
  )
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

/** Runs a function of the caller's; what it throws is the caller's own. */
function own<T>({ foreign }: Upload, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw marked(foreign, error)
  }
}
