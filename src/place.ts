import { orAborted, settledOrAborted } from './abort.ts'
import type { AddOptions } from './add-options.ts'
import { type Location, makeLocation, schemeOf } from './location.ts'
import { type OpenedStore, translated } from './opened.ts'
import type { WriteOptions, WriteResult } from './store.ts'
import { undo } from './undo.ts'

/** An object being made under `key`, for a caller that wants to hear its place. */
export interface Making {
  readonly opened: OpenedStore
  readonly key: string
  readonly options: Pick<AddOptions, 'onLocation'> & { readonly signal: AbortSignal }
  /** Errors of the caller's own functions, which reach it as they are. */
  readonly foreign: WeakSet<object>
}

/** The place of the object, once the store knows it. */
export interface Place {
  at?: unknown
  /** The store said that the object is there. */
  committed: boolean
}

/**
 * Has the store make the object and keeps its place, announced to the caller, in `place`. An object that is made after
 * the call was given up is removed. Undefined when the store made none.
 */
export async function make<R extends WriteResult<unknown> | undefined>(
  { opened, options, foreign }: Making,
  place: Place,
  signal: AbortSignal,
  run: (announce: WriteOptions['announce']) => Promise<R>,
): Promise<R> {
  let announced: string | undefined
  const announce = async (at: unknown): Promise<void> => {
    place.at = at
    const uri = opened.spec.location.format(at)
    if (uri === announced) return
    announced = uri
    try {
      await orAborted(Promise.resolve(options.onLocation?.(locationOf(opened, at))), signal)
    } catch (error) {
      throw signal.aborted ? signal.reason : marked(foreign, error)
    }
  }
  const made = await settledOrAborted(run(announce), signal, (late) => {
    if (late) void undo(opened, late.at, signal.reason)
  })
  if (!made) return made
  place.at = made.at
  place.committed = true
  await announce(made.at)
  return made
}

/** Takes back what a failed making left; answers the error to throw. */
export async function unmake(making: Making, place: Place, error: unknown, thrown: unknown): Promise<unknown> {
  const undone = leftBehind(making, place, thrown) ? await undo(making.opened, place.at, error) : error
  return isTheirs(making, error) ? error : undone
}

export function locationOf({ id, spec }: OpenedStore, at: unknown): Location {
  const uri = spec.location.format(at)
  return makeLocation(schemeOf(uri), id, uri)
}

export function marked(foreign: WeakSet<object>, error: unknown): unknown {
  if (typeof error === 'object' && error !== null) foreign.add(error)
  return error
}

/** Whether an error is the caller's own, or its reason to abort. */
export function isTheirs(
  { foreign, options: { signal } }: Pick<Making, 'foreign' | 'options'>,
  error: unknown,
): boolean {
  if (signal.aborted && error === signal.reason) return true
  return typeof error === 'object' && error !== null && foreign.has(error)
}

/**
 * Whether an object is there under our key that must not be: committed, or left by a store that is not atomic. What the
 * store refused to replace is not ours, whatever else went wrong.
 */
function leftBehind({ opened }: Making, place: Place, thrown: unknown): boolean {
  if (place.at === undefined) return false
  if (place.committed) return true
  return !opened.spec.capabilities.atomicWrite && translated(opened, thrown, {}).code !== 'already_exists'
}
