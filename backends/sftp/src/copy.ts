import { type CopyFromOptions, type CopyFromResult, orAborted } from 'mullion'
import { failure, isStatus, STATUS } from './errors.ts'
import { close, copyData, type FileFacts, fstat, lstat, openToRead } from './files.ts'
import type { SftpLocation } from './location.ts'
import { assertFile, etagOf } from './read.ts'
import { type Target, upload, type WriteTools } from './write.ts'

/** One request; small enough for the signal to be heeded and the server not to seem dead. */
const STEP = 64 * 1024 * 1024

/** Undefined when the server cannot copy, or the origin lies elsewhere: then nothing was done. */
export async function copyFrom(
  tools: WriteTools,
  origin: WriteTools,
  from: SftpLocation,
  key: string,
  options: CopyFromOptions<SftpLocation>,
): Promise<CopyFromResult<SftpLocation> | undefined> {
  if (!isSameLogin(tools, origin)) return undefined
  const { signal } = options
  const path = origin.area.pathOf(from)
  const { session, first, release } = await tools.pool.borrow(signal, async (each) =>
    each.offers.copyData ? lstat(each, path) : undefined,
  )
  release()
  if (!session.offers.copyData || !first) return undefined
  assertSame(tools, path, first, options)
  return upload(tools, key, { ...options, size: first.size }, (target) => copied(tools, target, path, options))
}

function isSameLogin({ settings: a }: WriteTools, { settings: b }: WriteTools): boolean {
  return a.host === b.host && a.port === b.port && a.user === b.user
}

async function copied(
  tools: WriteTools,
  { session, handle: to, path: partial }: Target,
  path: string,
  options: CopyFromOptions<SftpLocation>,
): Promise<number> {
  const { signal } = options
  const opening = openToRead(session, path)
  const from = await orAborted(opening, signal, (late) => void close(session, late, path).catch(() => {}))
  try {
    const found = await orAborted(fstat(session, from, path), signal)
    assertSame(tools, path, found, options)
    for (let position = 0; position < found.size; position += STEP) {
      const length = Math.min(STEP, found.size - position)
      await orAborted(copyData(session, partial, { from, to, position, length }), signal)
    }
    return found.size
  } catch (error) {
    // the file became shorter while it was copied
    throw isStatus(error, STATUS.endOfFile) ? changed(path) : error
  } finally {
    close(session, from, path).catch(() => {})
  }
}

function assertSame({ now }: WriteTools, path: string, found: FileFacts, { size, etag }: CopyFromOptions): void {
  assertFile(found)
  const isOther = etag !== undefined && etagOf(found, now()) !== etag
  if (isOther || (size !== undefined && found.size !== size)) throw changed(path)
}

function changed(path: string): Error {
  return failure('conflict', `${path} changed before it was copied`, { expected: path })
}
