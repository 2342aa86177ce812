import type { ByteSource } from '../source.ts'
import { advance, invalidTransition } from './advance.ts'
import { type Image, publicImage } from './image.ts'
import type { Ports } from './ports.ts'
import type { CopyTask } from './tasks.ts'
import { giveUp, save, type UploadOptions } from './upload.ts'

export type CopyOptions = Pick<UploadOptions, 'limit' | 'signal' | 'hashAlgorithm'>

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
 * Does a copy, from the beginning or again after a crash: queued → saving → active, or killed with the reason. Rejects
 * with the failure; with `signal.reason` when aborted, and then the image is queued for the next run.
 */
export async function copy(ports: Ports, task: CopyTask, options: CopyOptions = {}): Promise<Image> {
  const image = await startable(ports, task)
  const { signal } = options
  let size: number | undefined
  try {
    size = await ports.stores.getSizeFromBackend(task.uri, { ...(signal && { signal }) })
  } catch (error) {
    if (!signal?.aborted) await giveUp(ports, image.id, 'kill', error)
    throw error
  }
  const saving = image.status === 'saving' ? image : await advance(ports, image.id, 'upload')
  if (image.status === 'queued') ports.notifier.notify('prepare', publicImage(image))
  // what the remote side says replaces what the client said (Images v1, reading external sources)
  const expected = size ? { ...saving, size } : saving
  return save(ports, expected, bodyOf(ports, task, signal), {
    ...options,
    store: task.store,
    onFailure: 'kill',
    onAbort: 'requeue',
  })
}

/** The image, if it may start: from the beginning, or again after a crash. */
async function startable(ports: Ports, { imageId }: CopyTask): Promise<Image> {
  const image = await ports.images.get(imageId)
  if (image.status === 'queued' || image.status === 'saving') return image
  throw invalidTransition(imageId, 'copy', image.status)
}

/** A source that can be opened again: a copy is retried from its start, and within a body from the byte where it broke. */
function bodyOf({ stores }: Ports, { uri }: CopyTask, signal: AbortSignal | undefined): ByteSource {
  return async function* () {
    await using data = await stores.get(uri, { ...(signal && { signal }) })
    yield* data.body
  }
}
