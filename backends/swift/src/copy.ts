import { type CopyFromOptions, type CopyFromResult, isMullionError } from 'mullion'
import { type Account, pathOf } from './account.ts'
import { segmentsContainerOf } from './containers.ts'
import { failure, statusError } from './errors.ts'
import type { SwiftLocation } from './location.ts'
import { listing, newest, type ObjectHead, type ObjectPlace } from './objects.ts'
import { etagOf, refusalOf } from './reply.ts'
import { removeSegments, type Segment, type Segments } from './segments.ts'
import { putObject, type Tools, waiting } from './tools.ts'
import { assembled, expectedOf, segmentPrefix, underNewKey, writeSmall } from './write.ts'

/**
 * Has Swift copy an object of the same account. Its pieces become segments of a new object: a copied manifest would share
 * those of the original, and deleting either would break the other. Answers undefined where the pieces cannot be told.
 */
export async function copyWithin(
  tools: Tools,
  from: { readonly account: Account; readonly place: ObjectPlace },
  key: string,
  options: CopyFromOptions<SwiftLocation>,
): Promise<CopyFromResult<SwiftLocation> | undefined> {
  const { signal, size, etag } = options
  const [source, target] = [await from.account.storageUrl(signal), await tools.account.storageUrl(signal)]
  if (source !== target) return undefined
  const head = await newest(from.account, from.place, signal)
  const { container, object } = from.place
  const location = `${container}/${object}`
  if (!head) throw failure('not_found', `${location} does not exist`, { location })
  if (head.etag !== etag || head.size !== size)
    throw failure('conflict', `${location} has changed`, { expected: etag ?? '' })
  const pieces = await piecesOf(tools, from, head, signal)
  if (!pieces) return undefined
  const made = await underNewKey(tools, key, options, async (job) => {
    if (head.size === 0) return writeSmall(job, Buffer.alloc(0))
    const into = segmentsContainerOf(tools.settings, job.place.container)
    const prefix = segmentPrefix(job.place, job.upload)
    await assembled(job, await waiting(options.alive, () => copyPieces(tools, pieces, into, prefix, signal)))
  })
  return { ...made, size: head.size }
}

/** What the object consists of, in order; undefined when that cannot be told. */
async function piecesOf(
  tools: Tools,
  { account, place }: { readonly account: Account; readonly place: ObjectPlace },
  head: ObjectHead,
  signal: AbortSignal,
): Promise<readonly Segment[] | undefined> {
  const { size, etag, isStatic, dynamicPrefix } = head
  if (size === 0) return []
  if (dynamicPrefix !== undefined || etag === undefined) return undefined
  if (!isStatic) {
    const { maxFileSize } = await tools.limits(signal)
    return size <= maxFileSize ? [{ ...place, size, etag }] : undefined
  }
  const path = `${pathOf(place.container, place.object)}?multipart-manifest=get`
  const reply = await account.request({ method: 'GET', path, signal })
  if (reply.status !== 200) throw statusError(refusalOf(reply), `GET ${place.container}/${place.object}`)
  const pieces = manifestOf(reply.text) ?? (await ownSegments(tools, account, place, head, signal))
  const whole = pieces && expectedOf(pieces)
  return whole?.size === size && whole.etag === etag ? pieces : undefined
}

/** radosgw shows no manifests; what we wrote ourselves can be found by its name. */
async function ownSegments(
  { settings }: Tools,
  account: Account,
  place: ObjectPlace,
  { upload }: ObjectHead,
  signal: AbortSignal,
): Promise<readonly Segment[] | undefined> {
  if (upload === undefined) return undefined
  const within = segmentsContainerOf(settings, place.container)
  const found: Segment[] = []
  for await (const { name, bytes, hash } of listing(account, within, segmentPrefix(place, upload), signal)) {
    found.push({ container: within, object: name, etag: hash, size: bytes })
  }
  return found
}

interface Entry {
  readonly name?: string
  readonly hash?: string
  readonly bytes?: number
  readonly range?: string
  readonly sub_slo?: boolean
}

function manifestOf(text: string): readonly Segment[] | undefined {
  if (text === '') return undefined
  try {
    const entries = JSON.parse(text) as readonly Entry[]
    const pieces = entries.map(({ name, hash, bytes, range, sub_slo: nested }): Segment => {
      const [, container, object] = /^\/([^/]+)\/(.+)$/.exec(name ?? '') ?? []
      const isPlain = range === undefined && nested !== true
      if (container === undefined || object === undefined || hash === undefined || bytes === undefined || !isPlain)
        throw new TypeError('not a list of whole objects')
      pathOf(container, object) // throws for names that no URL can hold
      return { container, object, etag: hash, size: bytes }
    })
    return pieces.length > 0 ? pieces : undefined
  } catch {
    return undefined
  }
}

async function copyPieces(
  tools: Tools,
  pieces: readonly Segment[],
  container: string,
  prefix: string,
  signal: AbortSignal,
): Promise<Segments> {
  const begun: ObjectPlace[] = []
  const list: Segment[] = []
  const remove = (): Promise<void> => removeSegments(tools, begun)
  const queue = pieces.entries()
  const work = async (): Promise<void> => {
    for (const [index, piece] of queue) {
      const place = { container, object: `${prefix}${String(index + 1).padStart(8, '0')}` }
      begun.push(place)
      await copyPiece(tools, piece, place, signal)
      list[index] = { ...place, etag: piece.etag, size: piece.size }
    }
  }
  const workers = Array.from({ length: tools.settings.uploadConcurrency }, work)
  const results = await Promise.allSettled(workers)
  const failed = results.find((result) => result.status === 'rejected')
  if (!failed) return { list, remove }
  await remove()
  throw failed.reason
}

/** No `If-None-Match` here: Swift would hold it against what is copied from, and answer 304. */
async function copyPiece(tools: Tools, from: Segment, to: ObjectPlace, signal: AbortSignal): Promise<void> {
  const headers = {
    'x-copy-from': pathOf(from.container, from.object),
    'x-fresh-metadata': 'true',
    'content-type': 'application/octet-stream',
  }
  const { copyTimeoutMs: responseTimeoutMs } = tools.settings
  const put = { headers, body: new Uint8Array(), signal, responseTimeoutMs, isLong: true }
  const reply = await putObject(tools, to, put).catch(async (error: unknown) => {
    // 404 of either end, where no container may be made
    if (!isMullionError(error, 'invalid_config') || (await newest(tools.account, from, signal))) throw error
    const location = `${from.container}/${from.object}`
    throw failure('not_found', `${location} does not exist`, { location })
  })
  const what = `COPY ${from.container}/${from.object}`
  if (reply.status !== 201) throw statusError(refusalOf(reply), what)
  if (etagOf(reply.headers) !== from.etag) throw failure('unavailable', `${what}: the copy differs`, {})
}
