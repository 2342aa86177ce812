import { MullionError, type CopyFromOptions, type CopyFromResult, type Origin } from 'mullion'
import { failedWith, RbdError } from './errors.ts'
import type { RbdLocation } from './location.ts'
import { etagOf } from './read.ts'
import { namesOf, sessionAt, sessionOf, type Tools } from './tools.ts'
import { Window } from './window.ts'
import { publishing } from './write.ts'

const PIECE = 4 * 1024 ** 2

/** What `open` answered, and what is behind it. */
export const insides: WeakMap<object, Tools> = new WeakMap()

/**
 * Copies within the cluster: the process of librbd reads and writes, and none of the bytes reach the service. Unlike
 * `rbd_copy` it can be aborted at any piece, and unlike a clone the copy depends on nothing.
 */
export async function copyFrom(
  tools: Tools,
  key: string,
  origin: Origin,
  options: CopyFromOptions<RbdLocation>,
): Promise<CopyFromResult<RbdLocation> | undefined> {
  const other = insides.get(origin.store)
  if (!other) return undefined
  const at = origin.at as RbdLocation
  const [session, theirs] = await Promise.all([sessionOf(tools, options.signal), sessionAt(other, at, options.signal)])
  if (session.fsid !== theirs.fsid) return undefined
  const names = namesOf(other, at)
  const from = await session.call('open', { ...names, watch: true }).catch(ifForeign)
  if (!from) return undefined
  try {
    if (etagOf(from) !== options.etag || from.size !== (options.size ?? from.size)) {
      const message = `rbd store: ${names.image} changed before it was copied`
      throw new MullionError('conflict', message, { details: { expected: options.etag ?? `${options.size} bytes` } })
    }
    const exact = { ...options, size: from.size }
    const result = await publishing(tools, key, exact, async ({ opened }) => {
      const window = new Window(tools.settings.uploadConcurrency)
      try {
        for (let offset = 0; offset < from.size; offset += PIECE) {
          options.signal.throwIfAborted()
          const length = Math.min(PIECE, from.size - offset)
          const piece = { from: from.handle, to: opened.handle, offset, length }
          await window.add(async () => {
            await session.call('copy', piece)
            options.alive()
          })
        }
        await window.end()
      } catch (error) {
        await window.settled()
        throw error
      }
    })
    return { ...result, size: from.size }
  } finally {
    await session.call('close', { handle: from.handle }).catch(() => {})
  }
}

/** The user of this store has no right to the other pool. */
function ifForeign(error: unknown): undefined {
  const hidden = failedWith(error, 'EPERM', 'EACCES', 'EROFS')
  if (hidden || (error instanceof RbdError && error.call === 'rados_ioctx_create')) return undefined
  throw error
}
