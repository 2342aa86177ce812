import { isMullionError } from 'mullion'
import type { Image } from 'mullion/images'
import { checkData } from '../check-data.ts'
import { inParallel } from '../parallel.ts'
import { type Walked, walk } from '../records/walk.ts'
import { type Diagnosis, isYoung } from './findings.ts'
import type { Inventory } from './inventory.ts'
import { nameLocations } from './objects.ts'
import { endStalled, purge, removeAnnounced } from './repairs.ts'
import { isComing, isEnded, isOverdue, isStalled } from './states.ts'

export interface Examined {
  readonly images: number
  /** Records that cannot be opened: nobody knows what they name. */
  readonly unreadable: number
}

/** Reads all records, asks the stores about their data, and names in the inventory what they name. */
export async function examineRecords(run: Diagnosis, inventory: Inventory): Promise<Examined> {
  const examined = { images: 0, unreadable: 0 }
  await inParallel(walk(run.ports.images, { signal: run.signal }), run.lanes, async (walked: Walked) => {
    examined.images += 1
    run.progress(() => `${examined.images} records examined`)
    if (walked.kind === 'image') return examine(run, inventory, walked.image)
    examined.unreadable += 1
    inventory.nameEverywhere(walked.id)
    return run.report({ code: 'record-unreadable', image: walked.id, detail: walked.error.message })
  })
  return examined
}

async function examine(run: Diagnosis, inventory: Inventory, image: Image): Promise<void> {
  nameLocations(run, inventory, image)
  await examineData(run, image)
  if (isYoung(run, image.updatedAt)) return
  if (await isStalled(run, image)) {
    const detail = `it is in ${image.status} since ${image.updatedAt.toISOString()}, and nobody brings its data`
    await run.report({ code: 'image-stalled', image: image.id, detail }, () => endStalled(run, image.id))
  } else if (!isComing(image) && image.locations.some(({ status }) => status === 'pending')) {
    await examineAnnounced(run, image)
  }
  if (isOverdue(run, image)) {
    const detail = `it was deleted at ${image.deletedAt?.toISOString()}, and its data is still there`
    await run.report({ code: 'delete-overdue', image: image.id, detail }, () => purge(run, image.id))
  }
}

async function examineAnnounced(run: Diagnosis, image: Image): Promise<void> {
  const detail = `it is ${image.status}, and still names the place of an upload that ended`
  const finding = { code: 'announced-stale', image: image.id, detail } as const
  // data of any other image may be on its way to that place
  await (isEnded(image) ? run.report(finding, () => removeAnnounced(run, image.id)) : run.report(finding))
}

async function examineData(run: Diagnosis, image: Image): Promise<void> {
  const locations = image.locations.filter((location) => isWanted(run, location))
  if (locations.length === 0 && image.locations.length > 0) return
  const findings = await checkData(run.stores, { ...image, locations }, run.signal)
  if (findings.length === 0 || !(await isUnchanged(run, image))) return
  for (const finding of findings) await run.report({ image: image.id, ...finding })
}

function isWanted(run: Diagnosis, { uri, metadata: { store } }: Image['locations'][number]): boolean {
  if (store !== undefined && run.failed.has(store)) return false // the store itself was reported
  try {
    return run.wanted.has(run.stores.getStoreFromLocation({ uri, store }))
  } catch {
    return !run.storesNamed
  }
}

/** An image that was deleted while the store was asked misses nothing. */
async function isUnchanged({ ports: { images } }: Diagnosis, { id, status, updatedAt }: Image): Promise<boolean> {
  try {
    const now = await images.get(id)
    return now.status === status && now.updatedAt.getTime() === updatedAt.getTime()
  } catch (error) {
    if (isMullionError(error, 'not_found')) return false
    throw error
  }
}
