import { isMullionError } from 'mullion'
import { type Account, pathOf } from './account.ts'
import { brokenAnswer, statusError } from './errors.ts'
import { etagOf, integer, type Reply, refusalOf } from './reply.ts'

/** An object within an account. */
export interface ObjectPlace {
  readonly container: string
  readonly object: string
}

/** What HEAD says of an object. */
export interface ObjectHead {
  readonly size: number
  readonly etag: string | undefined
  readonly isStatic: boolean
  /** `container/prefix` of the segments of a dynamic large object. */
  readonly dynamicPrefix: string | undefined
  /** The write that made it, if it was one of ours. */
  readonly upload: string | undefined
  /** Milliseconds since it was written, by the server's own clock. */
  readonly ageMs: number
}

/** Marks what a write of ours made, so that it recognises it. */
export const UPLOAD_HEADER = 'x-object-meta-mullion-upload'

/** The object as the newest replica knows it (`X-Newest`: all are asked); undefined when there is none. */
export async function newest(
  account: Account,
  { container, object }: ObjectPlace,
  signal: AbortSignal,
): Promise<ObjectHead | undefined> {
  const headers = { 'x-newest': 'true' }
  const reply = await account.request({ method: 'HEAD', path: pathOf(container, object), headers, signal })
  if (reply.status === 404) return undefined
  if (reply.status !== 200) throw statusError(refusalOf(reply), `HEAD ${container}/${object}`)
  return headOf(reply)
}

function headOf({ headers }: Reply): ObjectHead {
  const size = integer(headers['content-length'])
  if (size === undefined) throw brokenAnswer('the server did not say how long an object is')
  const manifest = headers['x-object-manifest']
  const upload = headers[UPLOAD_HEADER]
  const date = Date.parse(headers.date ?? '')
  const written = Number(headers['x-timestamp'] ?? Number.NaN) * 1000
  return {
    size,
    etag: etagOf(headers),
    isStatic: headers['x-static-large-object']?.toString().toLowerCase() === 'true',
    dynamicPrefix: typeof manifest === 'string' ? unquoted(manifest) : undefined,
    upload: typeof upload === 'string' ? upload : undefined,
    ageMs: Number.isNaN(date - written) ? 0 : date - written,
  }
}

/** What is no percent-encoding stands for itself, as for Swift (Python's `unquote`). */
function unquoted(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Deletes one object. Answers whether there was one. */
export async function deleteObject(
  account: Account,
  { container, object }: ObjectPlace,
  signal: AbortSignal,
): Promise<boolean> {
  const reply = await account.request({ method: 'DELETE', path: pathOf(container, object), signal })
  if (reply.status === 404) return reply.isRepeated === true
  if (reply.status !== 204 && reply.status !== 200) throw statusError(refusalOf(reply), `DELETE ${container}/${object}`)
  return true
}

/** Deletes what is no longer needed, several at a time and each with a few attempts. Answers how many stayed. */
export async function deleteAll(
  account: Account,
  places: readonly ObjectPlace[],
  signal: AbortSignal,
): Promise<number> {
  const queue = places.values()
  let failed = 0
  const work = async (): Promise<void> => {
    for (const place of queue) {
      if (!(await deletedInTheEnd(account, place, signal))) failed += 1
    }
  }
  await Promise.all(Array.from({ length: PARALLEL_DELETES }, work))
  return failed
}

const PARALLEL_DELETES = 8
const DELETE_ATTEMPTS = 4

async function deletedInTheEnd(account: Account, place: ObjectPlace, signal: AbortSignal): Promise<boolean> {
  for (let attempt = 1; attempt <= DELETE_ATTEMPTS && !signal.aborted; attempt += 1) {
    try {
      await deleteObject(account, place, signal)
      return true
    } catch {
      await pause(100 * attempt, signal)
    }
  }
  return false
}

/** Ends early when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}

const LOOKS = 5
const LOOK_AGAIN_MS = 100

/** A look that decides over much, or in the middle of it, is tried more than once. */
export async function insistently<T>(signal: AbortSignal, look: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await look()
    } catch (error) {
      if (attempt === LOOKS || signal.aborted || !isMullionError(error) || !error.retryable) throw error
      await pause(LOOK_AGAIN_MS * 2 ** attempt, signal)
    }
  }
}

/** One page of a listing; `marker` is the last name of the page before. */
export interface Listed {
  readonly name: string
  /** Of a dynamic large object: 0, its manifest has none. */
  readonly bytes: number
  /** Whether they may be those of the manifest of a static large object: so with radosgw. */
  readonly isDoubtful: boolean
  readonly hash: string
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number
}

/** Names in a container, or of containers when `container` is undefined, page by page. */
export async function* listing(
  account: Account,
  container: string | undefined,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Listed> {
  let marker = ''
  for (;;) {
    const query = new URLSearchParams({ format: 'json', limit: '1000', prefix, marker })
    const path = `${container === undefined ? '' : pathOf(container)}?${query.toString()}`
    const reply = await insistently(signal, () => answered(account, path, container, signal))
    if (reply.status === 404 || reply.status === 204) return
    const page = listed(reply)
    yield* page
    const last = page.at(-1)
    if (last === undefined) return
    marker = last.name
  }
}

async function answered(
  account: Account,
  path: string,
  container: string | undefined,
  signal: AbortSignal,
): Promise<Reply> {
  const reply = await account.request({ method: 'GET', path, signal })
  if ([200, 204, 404].includes(reply.status)) return reply
  throw statusError(refusalOf(reply), `GET ${container ?? 'account'}`)
}

interface Listing {
  readonly name: string
  readonly bytes: number
  readonly hash: string
  readonly last_modified: string
}

/** Static manifests are smaller, with the limits that Swift and radosgw have (swift common/middleware/slo.py). */
const MAX_MANIFEST = 8 * 1024 ** 2

function listed({ text, headers }: Reply): readonly Listed[] {
  // a header of radosgw alone (ceph rgw/rgw_rest_swift.cc, dump_container_metadata)
  const isRadosgw = headers['x-container-bytes-used-actual'] !== undefined
  try {
    const entries = JSON.parse(text) as readonly Partial<Listing>[]
    return entries.flatMap(({ name, bytes = 0, hash = '', last_modified: modified = '' }) => {
      const iso = /[Z+]/.test(modified) ? modified : `${modified}Z` // Swift writes UTC without saying so
      const isDoubtful = isRadosgw && bytes <= MAX_MANIFEST
      return name === undefined ? [] : [{ name, bytes, isDoubtful, hash, modifiedAt: Date.parse(iso) }]
    })
  } catch {
    throw brokenAnswer('a listing is no JSON')
  }
}
