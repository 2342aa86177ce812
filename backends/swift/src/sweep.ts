import { OWN_PREFIX } from './claim.ts'
import type { SwiftSettings } from './config.ts'
import { containerOf, deleteContainer, holdsImages, segmentsContainerOf } from './containers.ts'
import { deleteAll, listing, newest, type ObjectPlace } from './objects.ts'
import type { Tools } from './tools.ts'

/** So that a container of millions of segments is no burden at each start. */
const MAX_LISTED = 200_000

interface Upload {
  readonly place: ObjectPlace
  readonly upload: string
  readonly segments: ObjectPlace[]
  newestAt: number
}

/**
 * Removes segments that no object needs and claims that nobody holds, once they are old enough: what a process left that
 * ended in the middle of a write. An object that does not say which write made it keeps all segments of its key. What other
 * stores or another configuration put there is left alone: only where it would be put now, its absence means anything.
 */
export async function sweep(tools: Tools, signal: AbortSignal): Promise<void> {
  const { staleUploadMs } = tools.settings
  if (staleUploadMs === false) return
  const before = tools.env.now() - staleUploadMs
  for await (const container of segmentContainers(tools, signal)) {
    const { claims, uploads } = await found(tools, container, signal)
    const old = claims.filter(({ at }) => at < before).map(({ place }) => place)
    await deleteAll(tools.account, old, signal)
    for (const upload of uploads) {
      signal.throwIfAborted()
      if (upload.newestAt < before) await sweepUpload(tools, upload, signal)
    }
  }
}

async function sweepUpload(
  { account, settings, env }: Tools,
  { place, upload, segments }: Upload,
  signal: AbortSignal,
): Promise<void> {
  const head = await newest(account, place, signal)
  if (head && (head.upload === undefined || head.upload === upload)) return
  const left = await deleteAll(account, segments, signal)
  signal.throwIfAborted()
  if (settings.multiTenant) await deleteContainer(account, place.container, signal) // only if nothing is left in it
  env.log('removed the segments of an upload that was never finished', {
    key: place.object,
    segments: segments.length - left,
    left,
  })
}

/** The containers this store's segments may lie in. */
export async function* segmentContainers({ account, settings }: Tools, signal: AbortSignal): AsyncGenerator<string> {
  const { container, segmentsContainer, multiTenant, multipleContainersSeed } = settings
  const isOne = segmentsContainer !== undefined || (!multiTenant && multipleContainersSeed === 0)
  if (isOne) {
    yield segmentsContainerOf(settings, container)
    return
  }
  for await (const { name } of listing(account, undefined, `${container}_`, signal)) {
    if (multiTenant ? holdsImages(settings, name) : name.endsWith('_segments')) yield name
  }
}

async function found(
  { account, settings }: Tools,
  container: string,
  signal: AbortSignal,
): Promise<{ claims: readonly { place: ObjectPlace; at: number }[]; uploads: Iterable<Upload> }> {
  const claims: { place: ObjectPlace; at: number }[] = []
  const uploads = new Map<string, Upload>()
  let listed = 0
  for await (const { name, modifiedAt } of listing(account, container, OWN_PREFIX + settings.container, signal)) {
    listed += 1
    if (listed > MAX_LISTED) break
    const place = { container, object: name }
    const own = ownOf(settings, container, name)
    if (own === undefined) continue
    if (own.upload === undefined) {
      claims.push({ place, at: modifiedAt })
      continue
    }
    const id = `${own.place.container}/${own.place.object}/${own.upload}`
    const known = uploads.get(id) ?? { place: own.place, upload: own.upload, segments: [], newestAt: 0 }
    known.segments.push(place)
    known.newestAt = Math.max(known.newestAt, modifiedAt)
    uploads.set(id, known)
  }
  return { claims, uploads: uploads.values() }
}

/** Which image a name in a container of segments belongs to; undefined when this store would not put it there. */
export function ownOf(
  settings: SwiftSettings,
  within: string,
  name: string,
): { readonly place: ObjectPlace; readonly upload: string | undefined } | undefined {
  const [, container = '', rest = ''] = /^mullion\/([^/]+)\/(.+)$/.exec(name) ?? []
  const [, claimed] = /^([\w-][\w.-]*)\.claim$/.exec(rest) ?? []
  const [, written, upload] = /^([\w-][\w.-]*)\/(\d+-\w+)\/\d+$/.exec(rest) ?? []
  const key = claimed ?? written
  if (key === undefined || containerOf(settings, key) !== container) return undefined
  if (segmentsContainerOf(settings, container) !== within || !holdsImages(settings, container)) return undefined
  return { place: { container, object: key }, upload }
}
