import { abortScope, settledOrAborted } from './abort.ts'
import { assertKey, bytes, invalid, texts } from './arguments.ts'
import { idleError, release, watchdog } from './bytes.ts'
import { type ErrorContext, inContext, isMullionError, MullionError } from './errors.ts'
import { DEFAULT_HASHES, type Hashes, type HashName, startDigests } from './hash.ts'
import { type Intake, intake, type IntakeRules } from './intake.ts'
import { type Location, makeLocation, schemeOf } from './location.ts'
import { type OpenedStore, translated } from './opened.ts'
import type { OnProgress } from './progress.ts'
import { type RetryPolicy, retrying } from './retry.ts'
import { type ByteSource, type OpenSource, openSource } from './source.ts'
import type { WriteResult } from './store.ts'
import { undo } from './undo.ts'

export interface AddOptions<K extends string = string> {
  /** Default: the `default` of `createStores`. */
  readonly store?: K
  /** Bytes; enforced to the byte. Default: what the source knows. */
  readonly size?: number
  /** Bytes; one more rejects `too_large`. */
  readonly limit?: number
  /** Digests of the result. Default md5 and sha512. */
  readonly hashes?: readonly HashName[]
  /** Lower-case hex by algorithm, compared as text before the store commits; a mismatch rejects `hash_mismatch`. */
  readonly expect?: Hashes
  /** Handed to the store, which may keep it with the object. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Aborting rejects with `signal.reason` itself, once what was written is removed. Never retried. */
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
  /**
   * Called, and awaited, once the place of the object is known and before anything is visible there; again for each
   * attempt. Record it, and a restart can remove what a crash left.
   */
  readonly onLocation?: (location: Location) => void | Promise<void>
}

export interface AddResult {
  readonly location: Location
  readonly store: string
  /** Bytes stored. */
  readonly size: number
  readonly hashes: Hashes
  /** What the store says of the object. */
  readonly metadata: Readonly<Record<string, string>>
}

export interface TransferLimits {
  readonly retry: RetryPolicy
  /** Longest wait for the next byte, in milliseconds; 0 for none. */
  readonly idleTimeoutMs: number
}

interface Upload {
  readonly opened: OpenedStore
  readonly key: string
  readonly source: OpenSource
  readonly rules: IntakeRules
  readonly options: AddOptions & { readonly signal: AbortSignal }
  readonly limits: TransferLimits
}

/** One upload. Rejects with errors of the source as they are; the source is released in every case. */
export async function add(
  opened: OpenedStore,
  key: string,
  from: ByteSource,
  options: AddOptions & { readonly signal: AbortSignal },
  limits: TransferLimits,
): Promise<AddResult> {
  const source = openSource(from)
  const foreign: { error?: unknown } = {}
  let attempts = 0
  try {
    const upload = { opened, key, source, rules: rulesOf(opened, key, source, options), options, limits }
    const give = await opened.slots.take(options.signal)
    try {
      return await retrying(
        limits.retry,
        options.signal,
        () => source.replayable,
        (attempt) => {
          attempts = attempt
          return attemptAdd(upload, foreign)
        },
      )
    } finally {
      give()
    }
  } catch (error) {
    if (attempts === 0 && !source.replayable) await release(source.open())
    const ours = error !== foreign.error && !(options.signal.aborted && error === options.signal.reason)
    throw ours && isMullionError(error)
      ? inContext(error, { ...contextOf(opened, key), attempt: attempts }, false)
      : error
  }
}

async function attemptAdd(upload: Upload, foreign: { error?: unknown }): Promise<AddResult> {
  const { opened, source, rules, options, limits } = upload
  using scope = abortScope(options.signal)
  const idle = watchdog(limits.idleTimeoutMs, (whom, limitMs) => scope.abort(idleError(rules.label, whom, limitMs)))
  let taken: Intake | undefined
  const place: { at?: unknown; committed: boolean } = { committed: false }
  try {
    taken = intake(opening(source, foreign), rules, scope.signal, idle)
    idle.wait('store')
    const written = await write(upload, taken, scope.signal, place)
    const { size, hashes } = await taken.finish()
    options.signal.throwIfAborted()
    const uri = opened.spec.location.format(written.at)
    const location = makeLocation(schemeOf(uri), opened.id, uri)
    return { location, store: opened.id, size, hashes, metadata: texts(rules.label, written.metadata ?? {}) }
  } catch (thrown) {
    const failure = taken?.failure()
    const aborted = scope.signal.aborted
    const bodyFailed = failure && !(aborted && failure.error === scope.signal.reason)
    if (bodyFailed && failure.bySource) foreign.error = failure.error
    const error = bodyFailed ? failure.error : aborted ? scope.signal.reason : thrown
    const cause =
      error === foreign.error || error === options.signal.reason
        ? error
        : translated(opened, error, contextOf(opened, upload.key))
    const refused = thrown !== failure?.error && translated(opened, thrown, {}).code === 'already_exists'
    if (!mustUndo(opened, place, refused)) throw cause
    const undone = await undo(opened, place.at, cause)
    throw cause === error ? error : undone
  } finally {
    idle.end()
    await taken?.release()
  }
}

function opening(source: OpenSource, foreign: { error?: unknown }): ReturnType<OpenSource['open']> {
  try {
    return source.open()
  } catch (error) {
    foreign.error = error
    throw error
  }
}

async function write(
  { opened, key, rules, options }: Upload,
  taken: Intake,
  signal: AbortSignal,
  place: { at?: unknown; committed: boolean },
): Promise<WriteResult<unknown>> {
  if (!opened.store.write) {
    throw new MullionError('unsupported', `${opened.id}: ${opened.spec.plugin} store: is read-only`, {
      details: { operation: 'add' },
    })
  }
  let announced: string | undefined
  const announce = async (at: unknown): Promise<void> => {
    place.at = at
    const uri = opened.spec.location.format(at)
    if (uri === announced) return
    announced = uri
    await options.onLocation?.(makeLocation(schemeOf(uri), opened.id, uri))
  }
  const writing = opened.store.write(key, taken.body, {
    size: rules.size,
    metadata: options.metadata ?? {},
    signal,
    announce,
  })
  const written = (await settledOrAborted(writing, signal, (late) => {
    void undo(opened, late.at, signal.reason)
  })) as WriteResult<unknown>
  place.at = written.at
  place.committed = true
  await announce(written.at)
  return written
}

/**
 * An object that is there under our key and must not be: committed, or left by a store that is not atomic. What the
 * store `refused` to replace is not ours, whatever else went wrong.
 */
function mustUndo(opened: OpenedStore, place: { at?: unknown; committed: boolean }, refused: boolean): boolean {
  if (place.at === undefined) return false
  if (place.committed) return true
  return !opened.spec.capabilities.atomicWrite && !refused
}

/** Everything that can be refused before the first byte is read. */
function rulesOf(opened: OpenedStore, key: string, source: OpenSource, options: AddOptions): IntakeRules {
  const label = `${opened.id}: add ${key}`
  assertKey(key)
  const size = bytes('size', options.size) ?? source.size
  const limit = Math.min(bytes('limit', options.limit) ?? Number.POSITIVE_INFINITY, opened.spec.capabilities.maxSize)
  if (size !== undefined && source.size !== undefined && source.size !== size) {
    throw new MullionError('size_mismatch', `${label}: expected ${size} bytes, the source has ${source.size}`, {
      details: { expected: size, actual: source.size },
    })
  }
  if (size !== undefined && size > limit) {
    throw new MullionError('too_large', `${label}: ${size} bytes, at most ${limit} allowed`, { details: { limit } })
  }
  if (size === undefined && opened.spec.capabilities.needsSize) {
    throw invalid('size', `${opened.id}: ${opened.spec.plugin} store: needs the size before the first byte`)
  }
  texts(label, options.metadata ?? {})
  const expect = options.expect ?? {}
  const hashes = [...(options.hashes ?? DEFAULT_HASHES), ...Object.keys(expect)]
  startDigests(hashes)
  return { label, size, limit, hashes, expect, onProgress: options.onProgress }
}

function contextOf(opened: OpenedStore, imageId: string): ErrorContext {
  return { operation: 'add', store: opened.id, imageId }
}
