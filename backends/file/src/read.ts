import { type BigIntStats, constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { ReadOptions, ReadResult } from 'mullion'
import type { Disk } from './disk.ts'
import { refused } from './errors.ts'

const CHUNK_BYTES = 256 * 1024
/** Neither follows a symbolic link nor waits for the writer of a FIFO. Windows has neither flag. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Holds the file from now on, so a body stays readable when the file is removed. Destroying it unread closes it. */
export async function read(disk: Disk, path: string, { offset, length, signal }: ReadOptions): Promise<ReadResult> {
  signal.throwIfAborted()
  const handle = await openRegular(disk, path)
  try {
    const found = await handle.stat({ bigint: true })
    signal.throwIfAborted()
    const size = Number(found.size)
    const end = Math.min(offset + (length ?? size), size)
    const body = offset < end ? streamOf(handle, offset, end, signal) : await nothing(handle)
    return { body, size, etag: etagOf(found) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The caller closes it. Rejects what is no regular file. */
export async function openRegular(disk: Disk, path: string): Promise<FileHandle> {
  const handle = await disk.open(path, FLAGS)
  try {
    if (!(await handle.stat()).isFile()) throw refused('not a regular file')
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Equal for equal bytes, as nothing here changes a file once it is complete. */
export function etagOf({ ino, mtimeNs, size }: BigIntStats): string {
  return [ino, mtimeNs, size].map((part) => part.toString(16)).join('-')
}

function streamOf(handle: FileHandle, start: number, end: number, signal: AbortSignal): Readable {
  const stream = handle.createReadStream({ start, end: end - 1, highWaterMark: CHUNK_BYTES })
  const onAbort = (): void => void stream.destroy(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  stream.once('close', () => signal.removeEventListener('abort', onAbort))
  stream.on('error', () => {}) // an abort before anybody listens must not end the process; readers are told all the same
  return stream
}

async function nothing(handle: FileHandle): Promise<Readable> {
  await handle.close()
  return Readable.from([])
}
