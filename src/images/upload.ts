import { isMullionError, MullionError } from '../errors.ts'
import { type ByteSource, openSource } from '../source.ts'
import { advance, decided } from './advance.ts'
import { reasonOf } from './announced.ts'
import { giveUp, mayGoOn } from './give-up.ts'
import { settle } from './hold.ts'
import { type Image, publicImage } from './image.ts'
import type { Ports } from './ports.ts'
import type { Attempt, UploadOptions } from './attempt.ts'
import { save } from './save.ts'

/**
 * queued → saving → active. The size (unless 0) and checksum in the record are what the creator expects: other data is
 * refused and nothing of it kept. Rejects what `stores.add` rejects, the source's own error, `not_found` when the image
 * was deleted meanwhile, `conflict` when something else moved it, `invalid_transition` when it is not queued,
 * `quota_exceeded`. After each of these nothing of the data is kept. The upload is a task of this process: should that
 * die, another ends the image when the lease has run out.
 */
export async function upload(ports: Ports, id: string, source: ByteSource, options: UploadOptions): Promise<Image> {
  const attempt = await begin(ports, id, options).catch(async (error: unknown) => {
    await openSource(source).abandon()
    throw error
  })
  try {
    const image = await bring(ports, attempt, source, options)
    await settle(ports, attempt.claim)
    return image
  } catch (error) {
    await settle(ports, attempt.claim, reasonOf(error))
    throw error
  }
}

async function begin(ports: Ports, id: string, { onFailure }: UploadOptions): Promise<Attempt> {
  const before = await ports.images.get(id)
  decided(before, 'upload')
  const task = { kind: 'upload', id: ports.newId(), imageId: id, onFailure } as const
  const claim = await ports.tasks.begin(task, ports.worker)
  try {
    const image = await advance(ports, id, 'upload', { writer: claim.token })
    ports.notifier.notify('prepare', publicImage(before))
    return { image, claim, key: id }
  } catch (error) {
    await settle(ports, claim, reasonOf(error))
    throw error
  }
}

/** The rest of an upload, for an image in saving whose writer is the claim of the attempt. */
export async function bring(
  ports: Ports,
  attempt: Attempt,
  source: ByteSource,
  options: UploadOptions,
): Promise<Image> {
  const { image } = attempt
  try {
    const active = await save(ports, attempt, source, options)
    ports.notifier.notify('upload', publicImage({ ...active, status: 'saving' }))
    ports.notifier.notify('activate', publicImage(active))
    ports.notifier.notify('update', publicImage(active))
    return active
  } catch (thrown) {
    const error = await explained(ports, image.id, thrown)
    const isForeign = isMullionError(error, 'already_exists')
    await giveUp(ports, attempt, { event: endOf(error, options), reason: reasonOf(error), isForeign })
    ports.notifier.notify('upload', publicImage(image), reasonOf(error))
    throw error
  }
}

/** An object that was in the store before says nothing about this image: it is as if nobody had tried (glance/api/v1/upload_utils.py, Duplicate). */
function endOf(error: unknown, { onFailure, onAbort = onFailure, signal }: UploadOptions): UploadOptions['onFailure'] {
  if (isMullionError(error, 'already_exists')) return 'requeue'
  return signal?.aborted || mayGoOn(error) ? onAbort : onFailure
}

/** A conflict with a deletion, told as what it is. */
async function explained(ports: Ports, id: string, error: unknown): Promise<unknown> {
  if (!isMullionError(error, 'conflict')) return error
  const image = await ports.images.get(id).catch(() => undefined)
  if (image && image.deletedAt === undefined && image.status !== 'deleted') return error
  return new MullionError('not_found', `image ${id}: was deleted during the upload`, {
    details: { location: id },
    context: { imageId: id },
    cause: error,
  })
}
