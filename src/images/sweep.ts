import { isMullionError } from '../errors.ts'
import { decided } from './advance.ts'
import { cleanAnnounced, type Log, reasonOf } from './announced.ts'
import { fence } from './fence.ts'
import { settle } from './hold.ts'
import { type Image, publicImage } from './image.ts'
import type { ImageFilters, Ports } from './ports.ts'
import { type Claim, isClaimOf, type OpenTask, type UploadTask } from './tasks.ts'

const INTERRUPTED = 'the server stopped during the upload'
const PAGE = 100
const FOREIGN_MS = 60 * 60 * 1000

/** Ends an upload whose process died, and whose task this claim took over: its data goes, the image is killed or queued. */
export async function endUpload(ports: Ports, claim: Claim<UploadTask>, log: Log): Promise<void> {
  const { id, imageId, onFailure } = claim.task
  const image = await ports.images.get(imageId).catch((error: unknown) => {
    if (isMullionError(error, 'not_found')) return undefined
    throw error
  })
  if (image?.status === 'saving' && isClaimOf(id, image.writer)) await interrupt(ports, image, onFailure, log)
  await settle(ports, claim, INTERRUPTED)
}

/**
 * Ends images in saving that nobody brings data to, and removes data that was announced but belongs to no image. Safe
 * while other processes work on the same records.
 */
export async function sweep(ports: Ports, log: Log): Promise<void> {
  const saving = await collect(every(ports, { status: ['saving'] }))
  // read after the images: a task is begun before its image is in saving, and over only after that
  const open = saving.length === 0 ? [] : await ports.tasks.list()
  for (const image of saving) {
    if (isHeld(image, open) || isForeign(ports, image)) continue
    await attempted(image, log, () => interrupt(ports, image, 'kill', log))
  }
  const left = await collect(every(ports, { locationStatus: 'pending', status: ['killed', 'deleted', 'active'] }))
  const now = left.length === 0 ? [] : await ports.tasks.list()
  for (const image of left) {
    if (isHeld(image, now)) continue // its uploader has not heard yet that the image is deleted
    await attempted(image, log, async () => {
      const { locations } = await cleanAnnounced(ports, image, log)
      if (locations.length < image.locations.length) await ifUnchanged(ports, image, { locations })
    })
  }
}

/** One image that cannot be read or written, such as for want of a key, is no reason to leave the others. */
async function attempted(image: Image, log: Log, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    log('an interrupted upload could not be cleaned up', { image: image.id, error: reasonOf(error) })
  }
}

const isHeld = ({ writer }: Image, open: readonly OpenTask[]): boolean => open.some(({ id }) => isClaimOf(id, writer))

/** Whether something that knows of no writers, such as an original Glance, may be bringing the data. */
function isForeign({ now }: Ports, { writer, updatedAt }: Image): boolean {
  return writer === undefined && now().getTime() - updatedAt.getTime() < FOREIGN_MS
}

async function interrupt(ports: Ports, image: Image, event: 'kill' | 'requeue', log: Log): Promise<void> {
  const ours = await fence(ports, image)
  if (!ours) return
  const { locations } = await cleanAnnounced(ports, ours, log)
  const patch = { status: decided(ours, event), reason: INTERRUPTED, writer: undefined, locations }
  if (!(await ifUnchanged(ports, ours, patch))) return
  log('the upload of an image was interrupted', { image: image.id, event })
  ports.notifier.notify('upload', publicImage(image), INTERRUPTED)
}

/** Whether the image was still what it was when it was read. */
async function ifUnchanged(
  { images }: Ports,
  { id, status, writer }: Image,
  patch: Parameters<Ports['images']['update']>[1],
): Promise<boolean> {
  try {
    await images.update(id, patch, { status: [status], writer })
    return true
  } catch (error) {
    if (isMullionError(error, 'conflict')) return false
    throw error
  }
}

/** All images that match, also deleted ones, page by page. */
export async function* every({ images }: Pick<Ports, 'images'>, filters: ImageFilters): AsyncGenerator<Image> {
  let marker: string | undefined
  for (;;) {
    const page = await images.list({
      scope: { kind: 'all' },
      filters,
      includeDeleted: true,
      sortKey: 'createdAt',
      sortDirection: 'asc',
      limit: PAGE,
      ...(marker !== undefined && { marker }),
    })
    yield* page
    marker = page.at(-1)?.id
    if (page.length < PAGE) return
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
