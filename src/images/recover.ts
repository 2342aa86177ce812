import { advance } from './advance.ts'
import type { Image } from './image.ts'
import type { ImageFilters, Ports } from './ports.ts'
import { deleteData, purgeData } from './remove.ts'
import { reasonOf } from './upload.ts'

type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void

export interface RecoverOptions {
  /** The name under which this process, and the one that died, hold tasks. */
  readonly worker: string
  readonly log: Log
}

const PAGE = 100

/**
 * For the start of the only process on these records: gives back the tasks of the one that died, kills images whose
 * upload died with it, queues those whose copy runs again, and removes data that was announced but belongs to no image.
 */
export async function recover(ports: Ports, { worker, log }: RecoverOptions): Promise<void> {
  await ports.tasks.release(worker)
  const copied = await ports.tasks.openImageIds()
  for await (const image of every(ports, { status: ['saving'] })) {
    await clean(ports, image, log)
    const event = copied.has(image.id) ? 'requeue' : 'kill'
    await advance(ports, image.id, event, { reason: 'the server stopped during the upload' })
    log('the upload of an image was interrupted', { image: image.id, event })
  }
  for await (const image of every(ports, { locationStatus: 'pending' })) await clean(ports, image, log)
}

/** Removes what was announced. What cannot be removed stays recorded for the next start. */
async function clean(ports: Ports, image: Image, log: Log): Promise<void> {
  const pending = image.locations.filter(({ status }) => status === 'pending')
  try {
    for (const location of pending) await deleteData(ports, location)
    await ports.images.update(image.id, { locations: image.locations.filter(({ status }) => status !== 'pending') })
  } catch (error) {
    log('data of an interrupted upload could not be removed', { image: image.id, error: reasonOf(error) })
  }
}

export interface ScrubOptions {
  /** Images deleted after this keep their data for now. */
  readonly deletedBefore: Date
  readonly log: Log
  readonly signal?: AbortSignal | undefined
}

/** Deletes the data that awaits it. What fails is tried again by the next run. Resolves with how many images are done. */
export async function scrub(ports: Ports, { deletedBefore, log, signal }: ScrubOptions): Promise<number> {
  let done = 0
  for await (const image of every(ports, { locationStatus: 'pending_delete' })) {
    if (signal?.aborted) break
    if (image.deletedAt === undefined || image.deletedAt > deletedBefore) continue
    try {
      await purgeData(ports, image)
      done += 1
    } catch (error) {
      log('data of a deleted image could not be removed', { image: image.id, error: reasonOf(error) })
    }
  }
  return done
}

/** All images that match, also deleted ones, page by page. */
async function* every({ images }: Ports, filters: ImageFilters): AsyncGenerator<Image> {
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
