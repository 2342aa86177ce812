import { isMullionError } from '../errors.ts'
import type { ByteSource } from '../source.ts'
import { advance, invalidTransition } from './advance.ts'
import { type Image, publicImage } from './image.ts'
import type { Ports } from './ports.ts'
import type { CopyTask } from './tasks.ts'
import { reasonOf, save, type UploadOptions } from './upload.ts'

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
 * Does a copy: queued → saving → active, or killed with the reason. Takes hold of the image by compare-and-set, so that
 * of a copy and whoever else brings data one wins, and the other leaves the image alone. Rejects with the failure; with
 * `signal.reason` when aborted, and then the image is queued for the next run.
 */
export async function copy(ports: Ports, task: CopyTask, options: CopyOptions = {}): Promise<Image> {
  const { imageId } = task
  const before = await ports.images.get(imageId)
  if (before.status !== 'queued') throw invalidTransition(imageId, 'copy', before.status)
  const { signal } = options
  try {
    const size = await ports.stores.getSizeFromBackend(task.uri, { ...(signal && { signal }) })
    const saving = await advance(ports, imageId, 'upload')
    ports.notifier.notify('prepare', publicImage(before))
    // what the remote side says replaces what the client said (Images v1, reading external sources)
    const expected = size ? { ...saving, size } : saving
    const source = bodyOf(ports, task, signal)
    return await save(ports, expected, source, { ...options, store: task.store, onFailure: 'kill', onAbort: 'requeue' })
  } catch (error) {
    if (!signal?.aborted) await killQueued(ports, imageId, error)
    throw error
  }
}

/** Nobody else brings data to the image of a copy that failed before it began; one that is on its way stays. */
async function killQueued({ images }: Ports, id: string, error: unknown): Promise<void> {
  const lost = isMullionError(error, 'conflict') || isMullionError(error, 'invalid_transition')
  if (lost) return
  try {
    await images.update(id, { status: 'killed', reason: reasonOf(error) }, ['queued'])
  } catch (second) {
    if (!isMullionError(second)) throw second
  }
}

/** A source that can be opened again: a copy is retried from its start, and within a body from the byte where it broke. */
function bodyOf({ stores }: Ports, { uri }: CopyTask, signal: AbortSignal | undefined): ByteSource {
  return async function* () {
    await using data = await stores.get(uri, { ...(signal && { signal }) })
    yield* data.body
  }
}
