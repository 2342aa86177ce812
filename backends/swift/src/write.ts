import { createHash, randomBytes } from 'node:crypto'
import type { ByteStream, WriteOptions, WriteResult } from 'mullion'
import { type Claim, OWN_PREFIX } from './claim.ts'
import { claimed, committed, type Expected, type Job, verified } from './commit.ts'
import { containerOf, deleteContainer, holdsImages, segmentsContainerOf } from './containers.ts'
import { alreadyExists, failure } from './errors.ts'
import type { Send } from './exchange.ts'
import { type Feed, feedOf } from './feed.ts'
import { referenceLocation, type SwiftLocation, urlLocation } from './location.ts'
import { newest, type ObjectPlace, UPLOAD_HEADER } from './objects.ts'
import { segmentPlan } from './plan.ts'
import { type Segment, type Segments, sendSegments } from './segments.ts'
import { afterwards, putObject, type Tools, waiting } from './tools.ts'

/** Bytes that are kept in memory to send them with their digest in front, which the server then checks by itself. */
const SMALL = 1024 ** 2

export async function write(
  tools: Tools,
  key: string,
  body: ByteStream,
  options: WriteOptions<SwiftLocation>,
): Promise<WriteResult<SwiftLocation>> {
  const { size, signal } = options
  return underNewKey(tools, key, options, async (job) => {
    const { settings } = tools
    const feed = feedOf(body)
    const small = Math.min(SMALL, settings.largeObjectSize, settings.segmentSize)
    const bytes = size === undefined || size <= small ? await feed.rest(small) : undefined
    if (bytes) return writeSmall(job, bytes)
    const limits = await tools.limits(signal)
    if (size !== undefined && size <= Math.min(settings.largeObjectSize, limits.maxFileSize))
      return writeWhole(job, feed, size)
    const sizeOf = segmentPlan(size, settings.segmentSize, limits)
    return writeSegments(job, feed, size, sizeOf)
  })
}

/** Refuses a key that is taken, runs `make`, and takes the container of the image away again when that fails. */
export async function underNewKey(
  tools: Tools,
  key: string,
  options: Job['options'],
  make: (job: Job) => Promise<void>,
): Promise<WriteResult<SwiftLocation>> {
  const { account, settings, env } = tools
  const place = { container: containerOf(settings, key), object: key }
  if (!holdsImages(settings, place.container))
    throw failure('invalid_argument', `${key}: its container ${place.container} is not for images`, { name: 'key' })
  if (await newest(account, place, options.signal)) throw alreadyExists(key)
  const at = await locationOf(tools, place, options.signal)
  const upload = `${env.now()}-${randomBytes(8).toString('hex')}`
  try {
    await make({ tools, place, at, upload, options })
    return { at }
  } catch (error) {
    if (settings.multiTenant) {
      await afterwards((signal) => deleteContainer(account, place.container, signal)).catch(() => {})
    }
    throw error
  }
}

/** Where an object of this store is, as its locations are written now. */
export async function locationOf(
  { account, settings: { reference } }: Tools,
  { container, object }: ObjectPlace,
  signal: AbortSignal,
): Promise<SwiftLocation> {
  if (reference !== undefined) return referenceLocation(reference, container, object)
  return urlLocation(await account.storageUrl(signal), container, object)
}

/** Bytes that are at hand. */
export function writeSmall(job: Job, bytes: Buffer): Promise<void> {
  return waiting(job.options.alive, () => putSmall(job, bytes))
}

async function putSmall(job: Job, bytes: Buffer): Promise<void> {
  const { tools, place, options } = job
  const etag = createHash('md5').update(bytes).digest('hex')
  const headers = { ...headersOf(job), etag, 'if-none-match': '*' }
  const held = await claimed(job)
  try {
    await committed(
      job,
      () => putObject(tools, place, { headers, body: bytes, signal: options.signal }),
      () => held,
      () => ({ size: bytes.byteLength, etag }),
    )
  } finally {
    await held.release()
  }
}

/** The last chunk is held back until the name is ours: without it there is no object. */
async function writeWhole(job: Job, feed: Feed, size: number): Promise<void> {
  const { tools, place, options } = job
  const md5 = createHash('md5')
  const headers = { ...headersOf(job), 'content-length': String(size), 'if-none-match': '*' }
  let held: Claim | undefined
  const run = async (send: Send): Promise<void> => {
    let last: Uint8Array | undefined
    for (let chunk = await feed.next(size); chunk; chunk = await feed.next(size)) {
      if (last) await send(last)
      md5.update(chunk)
      last = chunk
    }
    held = await waiting(options.alive, () => claimed(job))
    if (last) await send(last)
  }
  try {
    await committed(
      job,
      () => putObject(tools, place, { headers, signal: options.signal }, run),
      () => held,
      () => ({ size, etag: md5.copy().digest('hex') }),
    )
  } finally {
    await held?.release()
  }
}

async function writeSegments(
  job: Job,
  feed: Feed,
  size: number | undefined,
  sizeOf: (index: number) => number,
): Promise<void> {
  const { tools, place, upload, options } = job
  const container = segmentsContainerOf(tools.settings, place.container)
  const { signal, alive } = options
  const prefix = segmentPrefix(place, upload)
  const segments = await sendSegments(tools, feed, { container, prefix, size, sizeOf, signal, alive })
  await assembled(job, segments)
}

/** Makes one object of segments, or removes them. */
export function assembled(job: Job, segments: Segments): Promise<void> {
  return waiting(job.options.alive, () => assemble(job, segments))
}

async function assemble(job: Job, { list, remove }: Segments): Promise<void> {
  const { tools, place, options } = job
  const expected = expectedOf(list)
  const headers = { ...headersOf(job), 'if-none-match': '*' }
  const body = manifestOf(list)
  let held: Claim | undefined
  try {
    const mine = await claimed(job)
    held = mine
    await committed(
      job,
      () => putObject(tools, place, { query: '?multipart-manifest=put', headers, body, signal: options.signal }),
      () => mine,
      () => expected,
    )
    await verified(job, mine, expected)
  } catch (error) {
    await remove()
    throw error
  } finally {
    await held?.release()
  }
}

/** With the container: images of several stores may share one for their segments. */
export function segmentPrefix({ container, object }: ObjectPlace, upload: string): string {
  return `${OWN_PREFIX}${container}/${object}/${upload}/`
}

/** swift common/middleware/slo.py: the etag of the whole is the MD5 of those of its segments. */
export function expectedOf(list: readonly Segment[]): Expected {
  const etags = createHash('md5')
  for (const { etag } of list) etags.update(etag)
  return { size: list.reduce((sum, { size }) => sum + size, 0), etag: etags.digest('hex') }
}

function manifestOf(list: readonly Segment[]): Buffer {
  const entries = list.map(({ container, object, etag, size }) => ({
    path: `/${container}/${object}`,
    etag,
    size_bytes: size,
  }))
  return Buffer.from(JSON.stringify(entries))
}

function headersOf({ upload }: Job): Readonly<Record<string, string>> {
  return { 'content-type': 'application/octet-stream', [UPLOAD_HEADER]: upload }
}
