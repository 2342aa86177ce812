import { CLAIM_SUFFIX, OWN_PREFIX } from './claim.ts'
import { containerOf, deleteContainer, holdsImages, segmentsContainerOf } from './containers.ts'
import { deleteAll, listing, newest, type ObjectPlace } from './objects.ts'
import type { Tools } from './tools.ts'

/** So that a container of millions of segments is no burden at each start. */
const MAX_LISTED = 200_000

interface Upload {
  readonly key: string
  readonly upload: string
  readonly segments: ObjectPlace[]
  newestAt: number
}

/**
 * Removes segments that no object needs and claims that nobody holds, once they are old enough: what a process left that
 * ended in the middle of a write. An object that does not say which write made it keeps all segments of its key.
 */
export async function sweep(tools: Tools, signal: AbortSignal): Promise<void> {
  const { staleUploadMs } = tools.settings
  if (staleUploadMs === false) return
  const before = tools.env.now() - staleUploadMs
  for (const container of await segmentContainers(tools, signal)) {
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
  { key, upload, segments }: Upload,
  signal: AbortSignal,
): Promise<void> {
  const place = { container: containerOf(settings, key), object: key }
  const head = await newest(account, place, signal)
  if (head && (head.upload === undefined || head.upload === upload)) return
  const left = await deleteAll(account, segments, signal)
  signal.throwIfAborted()
  if (settings.multiTenant) await deleteContainer(account, place.container, signal) // only if nothing is left in it
  env.log('removed the segments of an upload that was never finished', { key, segments: segments.length - left, left })
}

async function segmentContainers({ account, settings }: Tools, signal: AbortSignal): Promise<readonly string[]> {
  const { container, segmentsContainer, multiTenant, multipleContainersSeed } = settings
  const isOne = segmentsContainer !== undefined || (!multiTenant && multipleContainersSeed === 0)
  if (isOne) return [segmentsContainerOf(settings, container)]
  const names: string[] = []
  for await (const { name } of listing(account, undefined, `${container}_`, signal)) {
    if (multiTenant ? holdsImages(settings, name) : name.endsWith('_segments')) names.push(name)
  }
  return names
}

async function found(
  { account }: Tools,
  container: string,
  signal: AbortSignal,
): Promise<{ claims: readonly { place: ObjectPlace; at: number }[]; uploads: Iterable<Upload> }> {
  const claims: { place: ObjectPlace; at: number }[] = []
  const uploads = new Map<string, Upload>()
  let listed = 0
  for await (const { name, modifiedAt } of listing(account, container, OWN_PREFIX, signal)) {
    listed += 1
    if (listed > MAX_LISTED) break
    const place = { container, object: name }
    const [, key = '', upload, number] = name.split('/')
    if (upload === undefined && key.endsWith(CLAIM_SUFFIX)) claims.push({ place, at: modifiedAt })
    if (upload === undefined || number === undefined) continue
    const known = uploads.get(`${key}/${upload}`) ?? { key, upload, segments: [], newestAt: 0 }
    known.segments.push(place)
    known.newestAt = Math.max(known.newestAt, modifiedAt)
    uploads.set(`${key}/${upload}`, known)
  }
  return { claims, uploads: uploads.values() }
}
