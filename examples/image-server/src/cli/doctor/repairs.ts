import { isMullionError } from 'mullion'
import { cleanAnnounced, type Image, type ImageLocation, type ImagePatch } from 'mullion/images'
import type { Diagnosis } from './findings.ts'
import { isEnded, isOverdue, isStalled } from './states.ts'

type Result = Promise<string | undefined>

const CHANGED = 'it changed meanwhile'
const INTERRUPTED = 'the upload was interrupted'

/**
 * Ends an upload that nobody brings data to. One in saving is killed: that takes it from its writer, and only then what was
 * stored goes. Another is queued, and may have a new writer at once: what it announced is for that one to remove.
 */
export async function endStalled(run: Diagnosis, id: string): Result {
  const image = await run.ports.images.get(id)
  if (!(await isStalled(run, image))) return CHANGED
  // what is being imported lies elsewhere so far, and may come again (as `requeue` of the life cycle)
  const status = image.status === 'saving' ? 'killed' : 'queued'
  const ended = await ifUnchanged(run, image, { status, writer: undefined, reason: INTERRUPTED })
  if (!ended) return CHANGED
  return isEnded(ended) ? dropAnnounced(run, ended) : undefined
}

export async function removeAnnounced(run: Diagnosis, id: string): Result {
  const image = await run.ports.images.get(id)
  return isEnded(image) ? dropAnnounced(run, image) : CHANGED
}

/** Does what the scrubber of a server would have done. */
export async function purge(run: Diagnosis, id: string): Result {
  const image = await run.ports.images.get(id)
  if (!isOverdue(run, image)) return CHANGED
  for (const location of image.locations) await removeData(run, location)
  return (await ifUnchanged(run, image, { status: 'deleted', locations: [] })) ? undefined : CHANGED
}

/** For an image that has ended. */
async function dropAnnounced(run: Diagnosis, image: Image): Result {
  const errors: string[] = []
  const { locations } = await cleanAnnounced(
    run.ports,
    image,
    (_, fields) => void errors.push(String(fields?.['error'])),
  )
  if (locations.length < image.locations.length && !(await ifUnchanged(run, image, { locations }))) return CHANGED
  return errors.length === 0 ? undefined : `the data could not be removed: ${errors.join('; ')}`
}

/** Undefined when the image is no longer what it was when it was read. */
async function ifUnchanged(
  { ports: { images } }: Diagnosis,
  { id, status, writer }: Image,
  patch: ImagePatch,
): Promise<Image | undefined> {
  try {
    return await images.update(id, patch, { status: [status], writer })
  } catch (error) {
    if (isMullionError(error, 'conflict')) return undefined
    throw error
  }
}

/** Data that is gone already, and a store that cannot delete, are as good. */
async function removeData({ stores, signal }: Diagnosis, { uri, metadata }: ImageLocation): Promise<void> {
  try {
    await stores.delete({ uri, store: metadata['store'] }, { signal })
  } catch (error) {
    if (!isMullionError(error, 'not_found') && !isMullionError(error, 'unsupported')) throw error
  }
}
