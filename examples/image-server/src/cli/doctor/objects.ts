import { isMullionError, type ObjectEntry, type PartialEntry, redactUri, revealUri } from 'mullion'
import type { Image, ImageLocation } from 'mullion/images'
import { walk } from '../records/walk.ts'
import { type Diagnosis, isYoung } from './findings.ts'
import type { Inventory, Item } from './inventory.ts'

/**
 * Takes down what the stores hold, before any record is read: what a record comes to name later is older than that.
 * Resolves with the stores that cannot tell.
 */
export async function takeInventory(run: Diagnosis, inventory: Inventory): Promise<readonly string[]> {
  const silent: string[] = []
  for (const store of run.wanted) {
    try {
      await listStore(run, inventory, store)
    } catch (error) {
      if (run.signal.aborted || !isMullionError(error)) throw error
      if (error.code === 'unsupported') silent.push(store)
      else await run.report({ code: 'store-unlisted', store, detail: error.message })
    }
  }
  return silent
}

async function listStore(run: Diagnosis, inventory: Inventory, store: string): Promise<void> {
  let entries = 0
  for await (const entry of run.stores.list(store, { signal: run.signal })) {
    if (entry.kind === 'partial') await examinePartial(run, entry)
    else inventory.add(itemOf(run, entry))
    entries += 1
    run.progress(() => `${store}: ${entries} objects listed`)
  }
}

async function examinePartial(run: Diagnosis, entry: PartialEntry): Promise<void> {
  const { store, name, size, modifiedAt } = entry
  const detail =
    modifiedAt === undefined
      ? 'an unfinished write, of unknown age'
      : `an unfinished write, last touched ${modifiedAt.toISOString()}`
  if (modifiedAt !== undefined && modifiedAt.getTime() > run.startedAt.getTime() - run.partialAgeMs) return
  await run.report({ code: 'partial-stale', store, name, size, detail }, async () => {
    if (modifiedAt === undefined) return 'the store does not tell how old it is'
    await entry.remove({ signal: run.signal })
    return undefined
  })
}

function itemOf({ specs }: Diagnosis, { store, location, size, modifiedAt }: ObjectEntry): Item {
  const uri = revealUri(location)
  return { store, uri, key: keyOf(specs, store, uri) ?? partsOf(uri).at(-1), size, modifiedAt }
}

/** Says that a record names the data at its locations, in whichever form they were written. */
export function nameLocations(run: Diagnosis, inventory: Inventory, { id, locations }: Image): void {
  for (const location of locations) {
    try {
      nameLocation(run, inventory, location)
    } catch (error) {
      if (!isMullionError(error)) throw error
      // no store has it under this address, and any may have it under another
      inventory.nameEverywhere(id)
      for (const part of partsOf(location.uri)) inventory.nameEverywhere(part)
    }
  }
}

/** Throws when no store, or more than one, recognises it. */
function nameLocation({ stores, specs }: Diagnosis, inventory: Inventory, { uri, metadata }: ImageLocation): void {
  const store = stores.getStoreFromLocation({ uri, store: metadata['store'] })
  const key = keyOf(specs, store, uri)
  inventory.name(uri, key)
  if (key === undefined) for (const part of partsOf(uri)) inventory.name(uri, part)
}

/** The segments of an address, one of which may be a key: `rbd://KEY` has one where others have a host. */
function partsOf(uri: string): readonly string[] {
  const [, path = ''] = /^[^:]*:\/\/(?:[^/]*@)?([^?#]*)/.exec(uri) ?? []
  return path.split('/').filter(Boolean).map(decoded)
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** What lies there was written under this key. Locations of Glance have other forms than those that a store lists. */
function keyOf(specs: Diagnosis['specs'], store: string, uri: string): string | undefined {
  const codec = specs[store]?.location
  try {
    return codec?.key?.(codec.parse(uri))
  } catch {
    return undefined
  }
}

/** Reports what no record names, once the records have been read. */
export async function examineUnnamed(run: Diagnosis, inventory: Inventory, unreadable: number): Promise<void> {
  const refresh = refresher(run, inventory)
  await refresh()
  for (const item of inventory.unnamed()) {
    run.signal.throwIfAborted()
    const { store, uri, size, modifiedAt } = item
    if (modifiedAt !== undefined && isYoung(run, modifiedAt)) continue
    const location = redactUri(uri)
    await run.report({ code: 'data-orphaned', store, location, size, detail: 'no record names it' }, async () => {
      const refusal = await removal(run, inventory, item, unreadable, refresh)
      if (refusal === undefined) await run.stores.delete({ uri, store }, { signal: run.signal })
      return refusal
    })
  }
}

/** For the clocks of other hosts. */
const MARGIN_MS = 300_000

/** Names what records have come to name since they were read. Resolves with how many of them cannot be. */
function refresher(run: Diagnosis, inventory: Inventory): () => Promise<number> {
  let since = run.startedAt.getTime()
  return async () => {
    const changesSince = new Date(since - MARGIN_MS)
    const asked = Date.now()
    let unreadable = 0
    for await (const walked of walk(run.ports.images, { filters: { changesSince }, signal: run.signal })) {
      if (walked.kind === 'image') nameLocations(run, inventory, walked.image)
      else unreadable += 1
    }
    since = asked
    return unreadable
  }
}

/** Why the object stays; undefined when it may go. */
async function removal(
  run: Diagnosis,
  inventory: Inventory,
  item: Item,
  unreadable: number,
  refresh: () => Promise<number>,
): Promise<string | undefined> {
  if (unreadable > 0) return `${unreadable} records cannot be read, and one of them may name it`
  if (item.modifiedAt === undefined) return 'the store does not tell how old it is'
  if (inventory.countNamed(item.store) === 0 && !(run.named('data-orphaned') && run.storesNamed)) {
    return 'no record names anything in this store: is it the right database? (--fix=data-orphaned --store NAME if so)'
  }
  const owner = item.key === undefined ? undefined : await ownerOf(run, inventory, item.key)
  if (owner !== undefined) return `image ${owner.id} is not deleted`
  if ((await refresh()) > 0) return 'records that changed meanwhile cannot be read, and one of them may name it'
  return inventory.isNamed(item) ? 'a record names it by now' : undefined
}

/** The image that the data is called after and may belong to, whatever its record says about where its data is. */
async function ownerOf(run: Diagnosis, inventory: Inventory, key: string): Promise<Image | undefined> {
  for (const id of new Set([key, key.replace(/\.\d+$/, '')])) {
    const image = await recordOf(run, id)
    if (!image) continue
    nameLocations(run, inventory, image)
    if (mayOwn(image)) return image
  }
  return undefined
}

function mayOwn({ status, locations }: Image): boolean {
  if (status === 'deleted' || status === 'killed') return false
  return locations.some((location) => location.status !== 'pending')
}

async function recordOf({ ports: { images } }: Diagnosis, id: string): Promise<Image | undefined> {
  try {
    return await images.get(id)
  } catch (error) {
    if (isMullionError(error, 'not_found')) return undefined
    throw error
  }
}
