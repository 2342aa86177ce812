import { type CallOptions, MullionError, orAborted } from 'mullion'
import type { Dependents, Place } from './calls.ts'
import type { Session } from './connection.ts'
import { failedWith, RbdError } from './errors.ts'
import { rbdLocation, type RbdLocation, SNAPSHOT } from './location.ts'
import { namesOf, sessionAt, type Tools } from './tools.ts'

/** Looks at everything that could refuse before anything is touched, and puts back what a latecomer then made undoable. */
export async function remove(tools: Tools, at: RbdLocation, { signal }: CallOptions): Promise<void> {
  const session = await sessionAt(tools, at, signal)
  await orAborted(removing(tools, session, at), signal)
}

async function removing(tools: Tools, session: Session, at: RbdLocation): Promise<void> {
  const { snapshot, image, ...place } = namesOf(tools, at)
  const { handle } = await session.call('open', { ...place, image, watch: true })
  try {
    const found = await session.call('dependents', { handle, snapshot })
    const named = snapshot === undefined || found.snapshot
    // Only what a removal of this very image has begun may be taken without the snapshot that is meant.
    if (!named && !(snapshot === SNAPSHOT && found.removing)) throw notFound(at)
    const reason = reasonToKeep(found)
    if (reason?.passing === false && named && tools.settings.trash) {
      await session.call('close', { handle })
      return void (await session.call('trash', { ...place, image, delayMs: tools.settings.trashDelayMs }))
    }
    if (reason) throw inUse(at, reason.text)
    if (snapshot === undefined || !found.snapshot) {
      await session.call('close', { handle })
      return void (await session.call('remove', { ...place, image }))
    }
    await dropImage(session, { ...place, image }, { handle, snapshot })
  } finally {
    await session.call('close', { handle })
  }
}

type Named = Place & { readonly image: string }

async function dropImage(
  session: Session,
  image: Named,
  at: { readonly handle: number; readonly snapshot: string },
): Promise<void> {
  try {
    await session.call('unprotect', at)
    await session.call('mark', { handle: at.handle, removing: true }).catch(unlessFull)
    await session.call('dropSnapshot', at)
    await session.call('close', at)
    await session.call('remove', image)
  } catch (error) {
    const back = error instanceof RbdError && (await putBack(session, image, at.snapshot))
    if (!back || !failedWith(error, 'ENOENT')) throw error
    // the first removal in a pool creates rbd_trash, and a full pool does not take it
    const message = `rbd store: ${image.image} is there, but librbd cannot remove it: is the pool full?`
    throw new MullionError('unavailable', message, { details: {}, cause: error })
  }
}

/** The image is as it was, only its snapshot may be another one of the same bytes. Answers whether there is an image. */
async function putBack(session: Session, image: Named, snapshot: string): Promise<boolean> {
  try {
    const { handle } = await session.call('open', { ...image, watch: true })
    try {
      await session.call('protect', { handle, snapshot })
      await session.call('mark', { handle, removing: false })
    } finally {
      await session.call('close', { handle })
    }
    return true
  } catch {
    return false // the error that led here says more
  }
}

/** A full pool may have no room for the mark, and removing is what makes room. */
function unlessFull(error: unknown): void {
  if (!failedWith(error, 'ENOSPC', 'EDQUOT')) throw error
}

/** `passing`: it goes away by itself, and nothing can be done about it. */
function reasonToKeep(found: Dependents): { readonly text: string; readonly passing: boolean } | undefined {
  if (found.watchers > 1) return { text: 'it is open elsewhere', passing: true }
  if (found.clones > 0) return { text: `${found.clones} clones depend on it`, passing: false }
  if (found.otherSnapshots > 0) return { text: `it has ${found.otherSnapshots} other snapshots`, passing: false }
  return undefined
}

function notFound(at: RbdLocation): MullionError<'not_found'> {
  const location = rbdLocation.format(at)
  return new MullionError('not_found', `rbd store: ${location}: the image has no such snapshot`, {
    details: { location },
  })
}

function inUse(at: RbdLocation, reason: string): MullionError<'in_use'> {
  const location = rbdLocation.format(at)
  return new MullionError('in_use', `rbd store: ${location}: ${reason}`, { details: { location } })
}
