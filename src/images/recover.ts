import { type Log, reasonOf } from './announced.ts'
import type { Ports } from './ports.ts'
import { purgeData } from './remove.ts'
import { endUpload, every, sweep } from './sweep.ts'

export interface RecoverOptions {
  readonly log: Log
}

/**
 * For the start of a process: takes back the tasks of the one of the same name that died, ends its uploads, and removes
 * what it left. Other processes may work on the same records.
 */
export async function recover(ports: Ports, { log }: RecoverOptions): Promise<void> {
  await ports.tasks.release(ports.worker)
  for (;;) {
    const claim = await ports.tasks.claim(ports.worker, 'upload')
    if (!claim) break
    try {
      await endUpload(ports, claim, log)
    } catch (error) {
      // an image that cannot be read keeps neither the others nor the start waiting; its task waits for its lease
      log('an interrupted upload could not be ended', { image: claim.task.imageId, error: reasonOf(error) })
    }
  }
  await sweep(ports, log)
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
