import { isMullionError, MullionError } from '../errors.ts'
import { decided } from './advance.ts'
import { refOf } from './data.ts'
import { fence } from './fence.ts'
import { type Image, type ImageLocation, publicImage } from './image.ts'
import type { Ports } from './ports.ts'
import { nextStatus } from './status.ts'
import { fenceToken } from './tasks.ts'

export interface RemoveOptions {
  /** Leave the data to the scrubber: the image goes to pending_delete. Default false. */
  readonly delayed?: boolean
}

/**
 * Deletes an image and its data. First the record says so, so that nobody can reach the data any more; then the data
 * goes; a crash in between leaves it to the scrubber. Rejects `permission_denied` for a protected image,
 * `invalid_transition` for one that is deleted already, and with the store's error: after `in_use` and `permission_denied`
 * the deletion is taken back. Otherwise the scrubber tries anew, as it does for a deactivated image: nothing may make that
 * active again.
 * The uploader of an image in saving finds it gone and removes what it stored.
 */
export async function remove(ports: Ports, id: string, { delayed = false }: RemoveOptions = {}): Promise<Image> {
  const image = await ports.images.get(id)
  if (image.protected) {
    throw new MullionError('permission_denied', `image ${id}: is protected`, { details: {}, context: { imageId: id } })
  }
  const withdrawn = await withdraw(ports, image)
  if (!withdrawn) return remove(ports, id, { delayed })
  const removed = holdsData(image) && !delayed ? await purge(ports, withdrawn, image.locations) : withdrawn
  ports.notifier.notify('delete', publicImage({ ...image, status: removed.status }))
  return removed
}

const holdsData = ({ locations }: Image): boolean => locations.some(({ status }) => status !== 'pending')

/** Makes the data unreachable. Undefined when the image moved meanwhile, such as by an upload that ended: look again. */
async function withdraw(ports: Ports, image: Image): Promise<Image | undefined> {
  const held = holdsData(image)
  // a deactivated image may not come back as active, so it takes the way that has no return (Glance's own table)
  const event = held && nextStatus('trash', image.status) ? 'trash' : 'delete'
  const locations = image.locations.map((location) => ({ ...location, status: 'pending_delete' }) as const)
  const data = held && { locations, writer: fenceToken(image.writer) }
  const patch = { status: decided(image, event), deletedAt: ports.now(), ...data }
  try {
    return await ports.images.update(image.id, patch, { status: [image.status] })
  } catch (error) {
    if (isMullionError(error, 'conflict')) return undefined
    throw error
  }
}

/**
 * Removes the data of a trashed image, then its record. Taken back only when the store says that it will not delete: what
 * timed out or broke off may yet be done.
 */
async function purge(ports: Ports, trashed: Image, before: readonly ImageLocation[]): Promise<Image> {
  let gone = 0
  try {
    return await deleteAll(ports, trashed, () => {
      gone += 1
    })
  } catch (error) {
    const refused = isMullionError(error, 'in_use') || isMullionError(error, 'permission_denied')
    if (refused) await restore(ports, trashed, before.slice(gone))
    throw error
  }
}

/** Unless somebody else, such as a scrubber, has begun to remove the data since. */
async function restore(ports: Ports, trashed: Image, locations: readonly ImageLocation[]): Promise<void> {
  const status = nextStatus('restore', trashed.status)
  if (status === undefined) return
  const patch = { status, deletedAt: undefined, writer: undefined, locations }
  try {
    await ports.images.update(trashed.id, patch, { status: [trashed.status], writer: trashed.writer })
  } catch (error) {
    if (!isMullionError(error, 'conflict')) throw error
  }
}

/** Deletes what awaits it and says so in the record. Rejects with the first store error. */
export async function purgeData(ports: Ports, image: Image): Promise<Image> {
  const ours = await fence(ports, image)
  return ours ? deleteAll(ports, ours) : ports.images.get(image.id)
}

async function deleteAll(ports: Ports, image: Image, onGone: () => void = () => {}): Promise<Image> {
  for (const location of image.locations) {
    await deleteData(ports, location)
    onGone()
  }
  const status = nextStatus('delete', image.status) ?? image.status
  const patch = { status, writer: undefined, locations: [] }
  try {
    return await ports.images.update(image.id, patch, { status: [image.status], writer: image.writer })
  } catch (error) {
    if (!isMullionError(error, 'conflict')) throw error
    const now = await ports.images.get(image.id)
    if (now.status === status || now.status === image.status) return now // a deletion and the scrubber met
    throw error
  }
}

/** Data that is gone already, and a store that cannot delete (http), are no reason to keep the record. */
export async function deleteData({ stores }: Pick<Ports, 'stores'>, location: ImageLocation): Promise<void> {
  try {
    await stores.delete(refOf(location))
  } catch (error) {
    const fine = ['not_found', 'unsupported'] as const
    if (!fine.some((code) => isMullionError(error, code))) throw error
  }
}
