import { setTimeout as sleep } from 'node:timers/promises'
import { attempted, pause } from './attempts.ts'
import { alreadyExists, answered, failed, isPassing, isUncertain, S3Error } from './errors.ts'
import { head, type Place } from './head.ts'
import type { Tools } from './tools.ts'

/** One write of one key. */
export interface Writing extends Tools {
  /** The key of the caller. */
  readonly key: string
  /** Where the object is to be. */
  readonly place: Place
  /** Kept with the object: what tells ours from that of another writer when an answer gets lost. */
  readonly id: string
  /** Tells the core that work goes on. */
  alive(): void
  readonly loss: Loss
}

/** What became of the requests that make the object visible. */
export interface Loss {
  /** One was sent and never answered: what it asked for may still happen. */
  isUnanswered: boolean
}

const MARK = 'mullion-write'

/** How long taking back may last. The core waits 10,000 ms for it, and an answer may be waited for before (send.ts). */
const CLEANUP_MS = 7000

/** Between two looks for what may still appear. */
const LOOK_MS = 250

export const markOf = ({ id }: Writing): { readonly [MARK]: string } => ({ [MARK]: id })

/** For what has to be done although the signal of the caller has aborted. */
export const cleanupSignal = (): AbortSignal => AbortSignal.timeout(CLEANUP_MS)

/** What lies at the place. */
export type Found = 'nothing' | 'ours' | 'theirs'

async function look(writing: Writing, signal: AbortSignal): Promise<Found> {
  try {
    const { Metadata } = await head(writing, writing.place, signal)
    return Metadata?.[MARK] === writing.id ? 'ours' : 'theirs'
  } catch (error) {
    if (error instanceof S3Error && error.code === 'not_found') return 'nothing'
    throw error
  }
}

/** Rejects `already_exists` when something lies at the place. */
export async function refuseTaken(writing: Writing, signal: AbortSignal): Promise<void> {
  const found = await attempted(writing, signal, () => look(writing, signal))
  if (found !== 'nothing') throw alreadyExists(writing.key)
}

/**
 * Sends what makes the object visible, until it is known to be there: an answer may get lost after the service has
 * done what it was asked, and its repetition then finds the place taken, or the upload gone. Rejects `already_exists`.
 */
export async function commit(writing: Writing, signal: AbortSignal, send: () => Promise<unknown>): Promise<void> {
  const { settings, key } = writing
  for (let number = 1; ; number += 1) {
    try {
      return void (await send())
    } catch (error) {
      signal.throwIfAborted()
      writing.alive()
      if (!isOpen(error) || answered(error, 'DigestMismatch')) throw error
      const isLast = number >= settings.uploadAttempts || !isPassing(error)
      const once = (): Promise<Found> => look(writing, signal)
      const found = await (isLast ? attempted(writing, signal, once) : once()).catch(() => undefined)
      if (found === 'ours') return
      if (found === 'theirs') throw alreadyExists(key)
      signal.throwIfAborted()
      if (isLast) throw error
    }
    await pause(number, signal)
  }
}

/** Whether this answer leaves open what lies at the place now. */
function isOpen(error: unknown): boolean {
  const isTaken = answered(
    error,
    'PreconditionFailed',
    'ConditionalRequestConflict',
    'OperationAborted',
    'NoSuchUpload',
  )
  return isTaken || isUncertain(error) || isPassing(error)
}

/**
 * Takes the object away if it is there and ours, and waits for it as long as a request without an answer may still make
 * it. What cannot be found out or done is logged.
 */
export async function takeBack(writing: Writing, signal: AbortSignal): Promise<void> {
  const { client, settings, place, log, key, loss } = writing
  let found: Found | undefined
  try {
    for (;;) {
      found = await attempted({ settings }, signal, () => look(writing, signal))
      if (found === 'ours') break
      if (found === 'theirs' || !loss.isUnanswered) return
      await sleep(LOOK_MS, undefined, { signal })
    }
    await attempted({ settings }, signal, () =>
      client.send('DeleteObject', signal, (s3, options) => s3.deleteObject(place, options)),
    )
  } catch (error) {
    if (answered(error, 'NoSuchKey', 'NotFound')) return
    if (found === 'nothing' && signal.aborted) log('what a failed write asked for may still appear', { key })
    else
      log('could not find out whether a failed write left an object', { key, error: failed('cleanup', error).message })
  }
}
