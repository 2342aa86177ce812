import { isMullionError } from 'mullion'
import type { Image, ImageLocation, ImagePatch, ImageStatus } from 'mullion/images'
import type { Diagnosis } from './findings.ts'
import { isOverdue, isStalled } from './states.ts'

type Result = Promise<string | undefined>

const CHANGED = 'it changed meanwhile'
const INTERRUPTED = 'the upload was interrupted'

/** Ends an upload that nobody brings data to: first the record says so, then what was stored goes. */
export async function endStalled(run: Diagnosis, id: string): Result {
  const image = await run.ports.images.get(id)
  if (!(await isStalled(run, image))) return CHANGED
  // what is being imported lies elsewhere so far, and may come again (as `requeue` of the life cycle)
  const status: ImageStatus = image.status === 'saving' ? 'killed' : 'queued'
  const ended = await ifUnchanged(run, image, { status, writer: undefined, reason: INTERRUPTED })
  if (!ended) return CHANGED
  return dropAnnounced(run, ended)
}

export async function removeAnnounced(run: Diagnosis, id: string): Result {
  const image = await run.ports.images.get(id)
  return (await isStalled(run, image)) || image.status === 'saving' ? CHANGED : dropAnnounced(run, image)
}

/** Does what the scrubber of a server would have done. */
export async function purge(run: Diagnosis, id: string): Result {
  const image = await run.ports.images.get(id)
  if (!isOverdue(run, image)) return CHANGED
  for (const location of image.locations) await removeData(run, location)
  return (await ifUnchanged(run, image, { status: 'deleted', locations: [] })) ? undefined : CHANGED
}

async function dropAnnounced(run: Diagnosis, image: Image): Result {
  const announced = image.locations.filter(({ status }) => status === 'pending')
  const locations = image.locations.filter(({ status }) => status !== 'pending')
  if (announced.length === 0) return undefined
  for (const location of announced) {
    // data that the image has come to own stays
    if (!locations.some(({ uri }) => uri === location.uri)) await removeData(run, location)
  }
  return (await ifUnchanged(run, image, { locations })) ? undefined : CHANGED
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
