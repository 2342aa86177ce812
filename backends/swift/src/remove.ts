import { type Account, pathOf } from './account.ts'
import type { SwiftSettings } from './config.ts'
import { segmentsContainerOf } from './containers.ts'
import { failure, statusError } from './errors.ts'
import { deleteAll, deleteObject, listing, newest, type ObjectPlace } from './objects.ts'
import { refusalOf } from './reply.ts'

/** Deletes the object, with its segments where it has some. Rejects `not_found`. */
export async function remove(
  account: Account,
  place: ObjectPlace,
  settings: SwiftSettings,
  signal: AbortSignal,
): Promise<void> {
  const head = await newest(account, place, signal)
  if (!head) throw notThere(place)
  if (head.isStatic) return removeStatic(account, place, signal)
  if (head.dynamicPrefix !== undefined)
    await removeDynamicSegments(account, place, head.dynamicPrefix, settings, signal)
  if (!(await deleteObject(account, place, signal))) throw notThere(place)
}

/** A bulk deletion says 200 whatever happened; what did stands in its body (swift common/middleware/bulk.py). */
async function removeStatic(account: Account, { container, object }: ObjectPlace, signal: AbortSignal): Promise<void> {
  const what = `DELETE ${container}/${object}`
  const path = `${pathOf(container, object)}?multipart-manifest=delete`
  const reply = await account.request({ method: 'DELETE', path, headers: { accept: 'application/json' }, signal })
  if (reply.status === 404 && reply.isRepeated) return
  if (reply.status === 404) throw notThere({ container, object })
  if (reply.status !== 200) throw statusError(refusalOf(reply), what)
  const { status, errors } = outcomeOf(reply.text)
  if (status === 200 && errors === 0) return
  if (status === 404 && errors === 0 && reply.isRepeated) return
  if (status === 404) throw notThere({ container, object })
  if (status === 401 || status === 403) throw statusError({ status, retryAfter: undefined, text: '' }, what)
  throw failure('unavailable', `${what}: ${errors} segments could not be deleted (${status})`, {})
}

function outcomeOf(text: string): { status: number; errors: number } {
  try {
    const { 'Response Status': status, Errors: errors } = JSON.parse(text) as {
      'Response Status'?: string
      Errors?: readonly unknown[]
    }
    return { status: Number.parseInt(status ?? '', 10), errors: errors?.length ?? 0 }
  } catch {
    return { status: 0, errors: 0 }
  }
}

/** What follows the prefix: `%05d` of Glance, `%08d` of python-swiftclient, `/%08d` of rclone. */
const SEGMENT_NUMBER = /^\/?\d{5,}$/

/**
 * Segments of a dynamic large object, of Glance (`<object>-<number>` beside it) or of tools (`<object>/…/<number>`). A
 * manifest is a header that names whatever its writer likes: what is not certainly a segment of this object stays.
 */
async function removeDynamicSegments(
  account: Account,
  place: ObjectPlace,
  manifest: string,
  settings: SwiftSettings,
  signal: AbortSignal,
): Promise<void> {
  const slash = manifest.indexOf('/')
  const [container, prefix] = [manifest.slice(0, slash), manifest.slice(slash + 1)]
  const isNear = container === place.container || container === segmentsContainerOf(settings, place.container)
  const isItsOwn = prefix.startsWith(`${place.object}-`) || prefix.startsWith(`${place.object}/`)
  if (!isNear || !isItsOwn) {
    const what = `${place.container}/${place.object}`
    throw failure(
      'unavailable',
      `${what}: its manifest names objects that are no segments of it; nothing deleted`,
      {},
      false,
    )
  }
  const segments: ObjectPlace[] = []
  for await (const { name } of listing(account, container, prefix, signal)) {
    if (SEGMENT_NUMBER.test(name.slice(prefix.length))) segments.push({ container, object: name })
  }
  const left = await deleteAll(account, segments, signal)
  signal.throwIfAborted()
  if (left > 0) throw failure('unavailable', `${left} of ${segments.length} segments could not be deleted`, {})
}

function notThere({ container, object }: ObjectPlace): Error {
  return failure('not_found', `${container}/${object} does not exist`, { location: `${container}/${object}` })
}
