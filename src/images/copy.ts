import { isMullionError, MullionError } from '../errors.ts'
import type { ByteSource } from '../source.ts'
import { advance, invalidTransition } from './advance.ts'
import { reasonOf } from './announced.ts'
import { mayGoOn } from './give-up.ts'
import { hold } from './hold.ts'
import { type Image, publicImage } from './image.ts'
import type { Ports } from './ports.ts'
import { type Claim, type CopyTask, isClaimOf } from './tasks.ts'
import type { UploadOptions } from './attempt.ts'
import { bring } from './upload.ts'

export type CopyOptions = Pick<UploadOptions, 'limit' | 'quota' | 'signal' | 'hashAlgorithm'>

/** A copy that was begun so often without an end, such as by servers that died of it, is given up. */
const MAX_ATTEMPTS = 25

/** Puts the copy into the queue; a worker does it. The image stays queued until then. */
export async function copyLater(
  ports: Ports,
  id: string,
  uri: string,
  { store }: { readonly store?: string | undefined } = {},
): Promise<Image> {
  const image = await ports.images.get(id)
  await ports.tasks.enqueue({ kind: 'copy', id: ports.newId(), imageId: id, uri, store })
  return image
}

/**
 * Does a copy: queued → saving → active, or killed with the reason. Takes hold of the image by compare-and-set, so that
 * of a copy and whoever else brings data one wins, and the other leaves the image alone. An earlier attempt at the same
 * task that got no further than saving is undone first. Rejects with the failure; with `signal.reason` when aborted, and
 * then the image is queued for the next run.
 */
export async function copy(ports: Ports, claim: Claim<CopyTask>, options: CopyOptions = {}): Promise<Image> {
  const { imageId, uri } = claim.task
  using held = hold(ports, claim, options.signal)
  const { signal } = held
  const before = await taken(ports, claim)
  try {
    if (claim.attempt > MAX_ATTEMPTS) throw givenUp(claim)
    const size = await ports.stores.getSizeFromBackend(uri, { signal })
    const saving = await seize(ports, claim)
    ports.notifier.notify('prepare', publicImage(before))
    // what the remote side says replaces what the client said (Images v1, reading external sources)
    const image = size ? { ...saving, size } : saving
    const key = claim.attempt === 1 ? imageId : `${imageId}.${claim.attempt}`
    const source = bodyOf(ports, uri, signal)
    return await bring(ports, { image, claim, key }, source, { ...options, store: claim.task.store, ...ENDS })
  } catch (error) {
    if (!signal.aborted) await killQueued(ports, claim, error)
    throw error
  }
}

const ENDS = { onFailure: 'kill', onAbort: 'requeue' } as const

/** queued → saving. An earlier holder that woke up late and came in between is undone as one that died. */
async function seize(ports: Ports, claim: Claim<CopyTask>, tries = 3): Promise<Image> {
  try {
    return await advance(ports, claim.task.imageId, 'upload', { writer: claim.token })
  } catch (error) {
    const moved = isMullionError(error, 'conflict') || isMullionError(error, 'invalid_transition')
    if (!moved || tries === 1) throw error
    await taken(ports, claim)
    return seize(ports, claim, tries - 1)
  }
}

/** The image, queued: as it was, or because an attempt that died with its worker is undone. */
async function taken(ports: Ports, claim: Claim<CopyTask>, tries = 3): Promise<Image> {
  const { id, imageId } = claim.task
  const image = await ports.images.get(imageId)
  if (image.status === 'queued') return image
  if (image.status !== 'saving' || !isClaimOf(id, image.writer)) throw invalidTransition(imageId, 'copy', image.status)
  // what it announced stays in the record: whoever brings data next removes it before
  const patch = { status: 'queued', writer: undefined } as const
  try {
    return await ports.images.update(image.id, patch, { status: ['saving'], writer: image.writer })
  } catch (error) {
    if (!isMullionError(error, 'conflict') || tries === 1) throw error
    return taken(ports, claim, tries - 1) // the earlier holder ended at this moment
  }
}

/** Nobody else brings data to the image of a copy that failed before it began; one that is on its way stays. */
async function killQueued({ images, tasks }: Ports, claim: Claim<CopyTask>, error: unknown): Promise<void> {
  if (isMullionError(error, 'invalid_transition') || mayGoOn(error)) return
  try {
    await tasks.renew(claim) // otherwise somebody else does the copy now, and may succeed
    await images.update(claim.task.imageId, { status: 'killed', reason: reasonOf(error) }, { status: ['queued'] })
  } catch (second) {
    if (!isMullionError(second)) throw second
  }
}

function givenUp({ task: { imageId }, attempt }: Claim<CopyTask>): MullionError<'internal'> {
  const message = `image ${imageId}: the copy was begun ${attempt - 1} times and never ended`
  return new MullionError('internal', message, { details: {}, context: { imageId } })
}

/** A source that can be opened again: a copy is retried from its start, and within a body from the byte where it broke. */
function bodyOf({ stores }: Ports, uri: string, signal: AbortSignal): ByteSource {
  return async function* () {
    await using data = await stores.get(uri, { signal })
    yield* data.body
  }
}
