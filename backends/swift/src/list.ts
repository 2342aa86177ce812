import { isMullionError, type Listed, type ListedPartial, type ListOptions } from 'mullion'
import { claim, OWN_PREFIX, STALE_CLAIM_MS } from './claim.ts'
import { containerOf, deleteContainer, holdsImages } from './containers.ts'
import { failure } from './errors.ts'
import { KEY, type SwiftLocation } from './location.ts'
import { deleteAll, insistently, listing, newest, type ObjectPlace } from './objects.ts'
import { ownOf, segmentContainers } from './sweep.ts'
import type { Tools } from './tools.ts'
import { locationOf, segmentPrefix } from './write.ts'

/** Objects where the store would put them now, then segments and claims that no object of theirs needs. */
export async function* list(tools: Tools, options: ListOptions): AsyncGenerator<Listed<SwiftLocation>> {
  for await (const container of imageContainers(tools, options)) yield* objects(tools, container, options)
  for await (const container of segmentContainers(tools, options.signal)) yield* partials(tools, container, options)
}

async function* imageContainers({ account, settings }: Tools, { signal, alive }: ListOptions): AsyncGenerator<string> {
  const { container, multiTenant, multipleContainersSeed } = settings
  if (!multiTenant && multipleContainersSeed === 0) {
    yield container
    return
  }
  for await (const { name } of listing(account, undefined, `${container}_`, signal)) {
    alive()
    if (holdsImages(settings, name)) yield name
  }
}

/** Without a size where only a request for the object would tell it. */
async function* objects(
  tools: Tools,
  container: string,
  { signal, alive }: ListOptions,
): AsyncGenerator<Listed<SwiftLocation>> {
  const isSegment = glanceSegments()
  for await (const { name, bytes, isDoubtful, modifiedAt } of listing(tools.account, container, '', signal)) {
    alive()
    if (isSegment(name, bytes) || !KEY.test(name) || containerOf(tools.settings, name) !== container) continue
    const at = await locationOf(tools, { container, object: name }, signal)
    yield { kind: 'object', at, size: bytes === 0 || isDoubtful ? undefined : bytes, modifiedAt: new Date(modifiedAt) }
  }
}

/**
 * Tells segments of Glance's large objects, `<object>-<%05d>` beside an empty manifest (glance_store
 * _drivers/swift/store.py), from objects. In the order of names all that is listed between a name and one that begins with
 * it begins with it too, so what may be the manifest is among the names that this one begins with.
 */
function glanceSegments(): (name: string, bytes: number) => boolean {
  let beginnings: { readonly name: string; readonly bytes: number }[] = []
  return (name, bytes) => {
    beginnings = beginnings.filter((each) => name.startsWith(each.name))
    const isSegment = beginnings.some((each) => each.bytes === 0 && /^-\d{5,}$/.test(name.slice(each.name.length)))
    beginnings.push({ name, bytes })
    return isSegment
  }
}

/** Segments of one upload, which a listing tells one after the other. */
interface Upload {
  readonly place: ObjectPlace
  readonly upload: string
  readonly bytes: number
  readonly newestAt: number
}

async function* partials(
  tools: Tools,
  container: string,
  { signal, alive }: ListOptions,
): AsyncGenerator<ListedPartial> {
  const { account, settings } = tools
  let current: Upload | undefined
  for await (const found of listing(account, container, OWN_PREFIX + settings.container, signal)) {
    alive()
    const own = ownOf(settings, container, found.name)
    if (!own) continue
    const { place, upload } = own
    if (upload === undefined) {
      yield partialClaim(tools, place, { container, object: found.name }, found.modifiedAt)
      continue
    }
    const next: Upload = { place, upload, bytes: found.bytes, newestAt: found.modifiedAt }
    if (current && isSame(current, next)) {
      current = sum(current, next)
      continue
    }
    if (current && !(await isNeeded(tools, current, signal))) yield partialUpload(tools, container, current)
    current = next
  }
  if (current && !(await isNeeded(tools, current, signal))) yield partialUpload(tools, container, current)
}

function isSame(a: Upload, b: Upload): boolean {
  return a.upload === b.upload && a.place.object === b.place.object && a.place.container === b.place.container
}

function sum(a: Upload, b: Upload): Upload {
  return { ...a, bytes: a.bytes + b.bytes, newestAt: Math.max(a.newestAt, b.newestAt) }
}

/** As for the sweep: an object that does not say which write made it needs all segments of its key. */
async function isNeeded({ account }: Tools, { place, upload }: Upload, signal: AbortSignal): Promise<boolean> {
  const head = await insistently(signal, () => newest(account, place, signal))
  return head !== undefined && (head.upload === undefined || head.upload === upload)
}

function partialUpload(tools: Tools, container: string, listed: Upload): ListedPartial {
  const { place, upload, bytes, newestAt } = listed
  const name = `${container}/${segmentPrefix(place, upload)}`
  return {
    kind: 'partial',
    name,
    size: bytes,
    modifiedAt: new Date(newestAt),
    remove: ({ signal }) => removeUpload(tools, container, listed, name, signal),
  }
}

/** With the claim of the object, so that no writer makes one of these segments meanwhile. */
async function removeUpload(
  tools: Tools,
  container: string,
  listed: Upload,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const { account, settings } = tools
  const { place, upload } = listed
  const isTaken = (await newest(account, place, signal)) !== undefined
  const held = isTaken ? undefined : await claimed(tools, place, name, signal)
  try {
    if (await isNeeded(tools, listed, signal)) throw changed(name)
    const segments: ObjectPlace[] = []
    let now: Upload | undefined
    for await (const found of listing(account, container, segmentPrefix(place, upload), signal)) {
      const next: Upload = { place, upload, bytes: found.bytes, newestAt: found.modifiedAt }
      now = now ? sum(now, next) : next
      segments.push({ container, object: found.name })
    }
    if (!now) return
    if (now.bytes !== listed.bytes || now.newestAt !== listed.newestAt) throw changed(name)
    const left = await deleteAll(account, segments, signal)
    signal.throwIfAborted()
    if (left > 0) throw failure('unavailable', `${left} of ${segments.length} segments could not be deleted`, {})
  } finally {
    await held?.release()
  }
  if (settings.multiTenant) await deleteContainer(account, place.container, signal) // only if nothing is left in it
}

async function claimed(tools: Tools, place: ObjectPlace, name: string, signal: AbortSignal): ReturnType<typeof claim> {
  try {
    return await claim(tools, place, signal)
  } catch (error) {
    throw isMullionError(error, 'already_exists') ? busy(name) : error
  }
}

/** What a writer leaves that ended while it published, or has just begun to. */
function partialClaim(tools: Tools, place: ObjectPlace, spot: ObjectPlace, at: number): ListedPartial {
  const name = `${spot.container}/${spot.object}`
  return {
    kind: 'partial',
    name,
    size: 0,
    modifiedAt: new Date(at),
    async remove({ signal }) {
      const head = await newest(tools.account, spot, signal)
      if (!head) return
      if (head.ageMs < STALE_CLAIM_MS) throw busy(`${place.container}/${place.object}`)
      const left = await deleteAll(tools.account, [spot], signal)
      signal.throwIfAborted()
      if (left > 0) throw failure('unavailable', `${name} could not be deleted`, {})
    },
  }
}

function changed(name: string): ReturnType<typeof failure> {
  return failure('conflict', `${name} changed since it was listed`, { expected: name })
}

function busy(name: string): ReturnType<typeof failure> {
  return failure('in_use', `${name}: somebody publishes its object at this moment`, { location: name })
}
