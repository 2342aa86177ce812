import { abortScope, orAborted } from './abort.ts'
import { add } from './add.ts'
import type { AddOptions, AddResult, TransferLimits } from './add-options.ts'
import { assertKey, invalid, texts } from './arguments.ts'
import { idleError, watchdog } from './bytes.ts'
import { inContext, isMullionError, MullionError } from './errors.ts'
import { get } from './get.ts'
import type { Found } from './locator.ts'
import { type OpenedStore, translated, unsupported } from './opened.ts'
import { isTheirs, locationOf, make, type Making, type Place, unmake } from './place.ts'
import { reporter } from './progress.ts'
import { retrying } from './retry.ts'
import { slots } from './slots.ts'
import { openSource } from './source.ts'
import type { StatResult } from './store.ts'
import type { KeyedTurns } from './turns.ts'

/** No digest is computed unless `hashes` or `expect` names one; then the bytes have to be streamed. */
export interface CopyOptions<K extends string = string>
  extends Pick<AddOptions<K>, 'limit' | 'hashes' | 'expect' | 'metadata' | 'signal' | 'onProgress' | 'onLocation'> {
  /** Name of the store that gets the copy. */
  readonly to: K
  /** Key of the copy. Default: the key the object was written under, where its location tells. */
  readonly imageId?: string
}

export interface CopyResult extends AddResult {
  /** `native`: the backend copied by itself; `streamed`: the bytes went through this process. */
  readonly way: 'native' | 'streamed'
}

/** What the copies between the same stores share. */
export interface CopyShared {
  readonly limits: TransferLimits
  /** Copies take their places one after the other: two that each hold one and wait for another would wait for ever. */
  readonly inTurn: KeyedTurns
}

/**
 * One copy. The target makes it by itself where it can and no digest is wanted; otherwise the bytes are streamed. Either
 * way the copy has the size that the origin says it has, or is taken back.
 */
export async function copy(
  from: Found,
  target: OpenedStore,
  options: CopyOptions & { readonly signal: AbortSignal },
  shared: CopyShared,
): Promise<CopyResult> {
  const key = options.imageId ?? keyOf(from)
  assertKey(key)
  const { signal, metadata = {} } = options
  texts(`${target.id}: copy ${key}`, metadata)
  const known = await retrying(
    shared.limits.retry,
    signal,
    () => true,
    () => stat(from, signal),
  )
  const copying: Copying = { from, target, key, known, options, ...shared }
  assertFits(copying, known.size)
  return (await nativeCopy(copying)) ?? streamedCopy(copying)
}

interface Copying extends CopyShared {
  readonly from: Found
  readonly target: OpenedStore
  readonly key: string
  /** What the origin is said to be. */
  readonly known: StatResult
  readonly options: CopyOptions & { readonly signal: AbortSignal }
}

async function nativeCopy(copying: Copying): Promise<CopyResult | undefined> {
  const { from, target, key, known, options, limits } = copying
  const { copyFrom } = target.store
  // A layer that changes bytes takes the function away, and then what lies in the backend is not the object.
  if (!copyFrom || !from.opened.store.copyFrom) return undefined
  if ((options.hashes ?? []).length > 0 || Object.keys(options.expect ?? {}).length > 0) return undefined
  const { signal, metadata = {} } = options
  const making: Making = { opened: target, key, options, foreign: new WeakSet() }
  const origin = { store: from.opened.raw, at: from.at }
  const once = async (attempt: number): Promise<CopyResult | undefined> => {
    const place: Place = { committed: false }
    try {
      const made = await make(making, place, signal, (announce) =>
        copyFrom(key, origin, { size: known.size, etag: known.etag, metadata, signal, announce, alive() {} }),
      )
      if (!made) return undefined
      assertSize(copying, made.size)
      signal.throwIfAborted()
      reporter(options.onProgress, made.size).end(made.size)
      return {
        location: locationOf(target, made.at),
        store: target.id,
        size: made.size,
        hashes: {},
        metadata: texts(`${target.id}: copy ${key}`, made.metadata ?? {}),
        way: 'native',
      }
    } catch (thrown) {
      const reason = signal.aborted ? signal.reason : thrown
      const context = { operation: 'copy', imageId: key, attempt }
      const error = isTheirs(making, reason) ? reason : translated(target, reason, context)
      throw await unmake(making, place, error, thrown)
    }
  }
  const give = await target.slots.take(signal)
  try {
    return await retrying(limits.retry, signal, () => true, once)
  } catch (error) {
    throw isMullionError(error) && !isTheirs(making, error) ? inContext(error, {}, false) : error
  } finally {
    give()
  }
}

async function streamedCopy(copying: Copying): Promise<CopyResult> {
  const { target, key, known, options, limits } = copying
  const give = await takePlaces(copying)
  try {
    const bytes = (): AsyncGenerator<Uint8Array> => bytesOf(copying)
    const { to: _to, imageId: _imageId, ...rest } = options
    const upload = {
      ...rest,
      hashes: options.hashes ?? [],
      ...(known.size !== undefined && { size: known.size }),
      sourceIdleTimeoutMs: 0, // the download watches itself
    }
    return { ...(await add(held(target), key, openSource(bytes), upload, limits)), way: 'streamed' }
  } finally {
    give()
  }
}

async function* bytesOf({
  from: { opened, at, shown },
  target,
  key,
  options,
  limits,
}: Copying): AsyncGenerator<Uint8Array> {
  using scope = abortScope(options.signal)
  const label = `${target.id}: copy ${key}`
  const idle = watchdog(limits.idleTimeoutMs, (whom, limitMs) => scope.abort(idleError(label, whom, limitMs)))
  try {
    idle.wait('origin') // a layer may limit what is under way at once, and make it wait for what waits for it
    await using got = await get({ opened: held(opened), at, shown, limits }, { signal: scope.signal }, () => {})
    idle.rest()
    yield* got.body
  } finally {
    idle.end()
  }
}

/** A place at the origin and one at the target. */
async function takePlaces({ from: { opened }, target, options: { signal }, inTurn }: Copying): Promise<() => void> {
  if (opened === target && target.spec.capabilities.concurrency < 2) {
    throw unsupported(target, 'copy', 'takes one call at a time, so it cannot be read while it is written')
  }
  const taking = inTurn('copy', async () => {
    const origin = await opened.slots.take(signal)
    try {
      const place = await target.slots.take(signal)
      return () => {
        place()
        origin()
      }
    } catch (error) {
      origin()
      throw error
    }
  })
  return orAborted(taking, signal, (late) => late())
}

/** The store for whoever has its place already. */
function held(opened: OpenedStore): OpenedStore {
  return { ...opened, slots: slots(Number.POSITIVE_INFINITY) }
}

async function stat({ opened, at, shown }: Found, signal: AbortSignal): Promise<StatResult> {
  const give = await opened.slots.take(signal)
  try {
    return await orAborted(opened.store.stat(at, { signal }), signal)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw translated(opened, error, { operation: 'copy', location: shown })
  } finally {
    give()
  }
}

function keyOf({ opened, at, shown }: Found): string {
  const key = opened.spec.location.key?.(at)
  if (key !== undefined) return key
  throw invalid('imageId', `the location ${shown} does not tell the key of the object; name one for the copy`)
}

function assertFits({ target: { id, spec }, key, options }: Copying, size = 0): void {
  const limit = Math.min(options.limit ?? Number.POSITIVE_INFINITY, spec.capabilities.maxSize)
  if (size <= limit) return
  throw new MullionError('too_large', `${id}: copy ${key}: ${size} bytes, at most ${limit} allowed`, {
    details: { limit },
  })
}

function assertSize(copying: Copying, actual: number): void {
  assertFits(copying, actual)
  const {
    target: { id },
    key,
    known: { size: expected },
  } = copying
  if (expected === undefined || expected === actual) return
  throw new MullionError('size_mismatch', `${id}: copy ${key}: the copy has ${actual} bytes, expected ${expected}`, {
    details: { expected, actual },
  })
}
