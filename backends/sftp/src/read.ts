import { Readable } from 'node:stream'
import { type ReadOptions, type ReadResult, orAborted } from 'mullion'
import { failure, refused } from './errors.ts'
import { close, type FileFacts, fstat, type Handle, lstat, openToRead, read as readAt } from './files.ts'
import type { Pool } from './pool.ts'
import type { Session } from './session.ts'

/** Requests under way for one body: enough for 100 MB/s at 40 ms, with requests of 255 KiB. */
const WINDOW = 16

export interface ReadTools {
  readonly pool: Pool
  readonly now: () => number
}

/** Holds the file open and its place in a session from now on; destroying the body unread lets go of both. */
export async function read(
  { pool, now }: ReadTools,
  path: string,
  { offset, length, signal }: ReadOptions,
): Promise<ReadResult> {
  // asked before it is opened: opening a FIFO would block the server
  const { session, first, release } = await pool.borrow(signal, (each) => lstat(each, path))
  let handle: Handle | undefined
  try {
    assertFile(first)
    handle = await orAborted(
      openToRead(session, path),
      signal,
      (late) => void close(session, late, path).catch(() => {}),
    )
    const found = await orAborted(fstat(session, handle, path), signal)
    assertFile(found)
    const end = Math.min(offset + (length ?? found.size), found.size)
    const body = bodyOf(session, handle, path, { offset, end, signal, release })
    return { body, size: found.size, etag: etagOf(found, now()) }
  } catch (error) {
    if (handle) close(session, handle, path).catch(() => {})
    release()
    throw error
  }
}

export function assertFile({ isFile }: FileFacts): void {
  if (!isFile) throw refused('not a regular file')
}

/** Clocks of two hosts may differ by this much. */
const CLOCK_MS = 60_000

/**
 * Times are whole seconds, so within one of them a file could be replaced by another of the same size and time: there is
 * no validator before that second has certainly passed (RFC 9110 §8.8.2.2, on Last-Modified).
 */
export function etagOf({ mtimeMs, size }: FileFacts, now: number): string | undefined {
  if (mtimeMs === 0 || mtimeMs > now - CLOCK_MS) return undefined
  return `${(mtimeMs / 1000).toString(16)}-${size.toString(16)}`
}

interface Span {
  readonly offset: number
  readonly end: number
  readonly signal: AbortSignal
  readonly release: () => void
}

/** Asks for the next bytes while the last are on their way; at most WINDOW requests are under way or unread. */
function bodyOf(session: Session, handle: Handle, path: string, { offset, end, signal, release }: Span): Readable {
  const window: Promise<Buffer>[] = []
  let asked = offset
  const ask = (): void => {
    while (asked < end && window.length < WINDOW) {
      const from = asked
      asked = Math.min(end, from + session.requestBytes)
      const piece = fill(session, handle, path, from, asked - from)
      piece.catch(() => {}) // whoever reads gets it; a body that is left does not
      window.push(piece)
    }
  }
  const body = new Readable({
    highWaterMark: session.requestBytes,
    read() {
      ask()
      const piece = window.shift()
      if (!piece) return void body.push(null)
      piece.then(
        (bytes) => void (body.destroyed || body.push(bytes)),
        (error: Error) => body.destroy(error),
      )
    },
  })
  body.once('close', () => {
    signal.removeEventListener('abort', onAbort)
    close(session, handle, path).catch(() => {})
    release()
  })
  const onAbort = (): void => void body.destroy(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  body.on('error', () => {}) // an abort before anybody listens must not end the process; readers are told all the same
  return body
}

/** A server may answer with fewer bytes than it was asked for (draft-ietf-secsh-filexfer-02 §6.4). */
async function fill(session: Session, handle: Handle, path: string, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let filled = 0; filled < length; ) {
    const count = await readAt(session, handle, path, filled === 0 ? bytes : bytes.subarray(filled), from + filled)
    if (count === 0) throw failure('unavailable', `${path} ends ${length - filled} bytes early`, {})
    filled += count
  }
  return bytes
}
