import type { FileHandle } from 'node:fs/promises'
import { MullionError } from 'mullion'

/** Takes the bytes of a file from its start to its end. */
export interface Output {
  /** Resolves when more may come. */
  write(data: Uint8Array): Promise<void>
  /** Leaves bytes out, which then read as zeros. */
  skip(bytes: number): Promise<void>
  /** Resolves with the length once everything was handed to the file system. */
  end(): Promise<number>
  /** Resolves when no write is under way, without saying how the last one went. */
  settled(): Promise<void>
}

const BATCH_BYTES = 1024 * 1024
const BATCH_PARTS = 1024 // IOV_MAX of Linux and macOS

/**
 * Gathers chunks, without copying them, into writes of at least 1 MiB. While one batch is written the next is gathered,
 * so that it holds two batches at most.
 */
export function batched(handle: FileHandle, onWritten: (bytes: number) => void): Output {
  let parts: Uint8Array[] = []
  let gathered = 0
  let position = 0
  let writing: Promise<void> = Promise.resolve()

  async function flush(): Promise<void> {
    await writing
    if (gathered === 0) return
    writing = writeAll(handle, parts, position, onWritten)
    writing.catch(() => {}) // the next flush or the end reports it
    position += gathered
    gathered = 0
    parts = []
  }

  return {
    async write(data) {
      parts.push(data)
      gathered += data.byteLength
      if (gathered >= BATCH_BYTES || parts.length >= BATCH_PARTS) await flush()
    },
    async skip(bytes) {
      await flush()
      position += bytes
      onWritten(bytes)
    },
    async end() {
      await flush()
      await writing
      return position
    },
    settled: () => writing.catch(() => {}),
  }
}

/** `writev` may write less than it was given. */
async function writeAll(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  position: number,
  onWritten: (bytes: number) => void,
): Promise<void> {
  let rest = parts
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at)
    if (bytesWritten === 0) throw new MullionError('unavailable', 'file store: the disk took no byte', { details: {} })
    onWritten(bytesWritten)
    at += bytesWritten
    rest = after(rest, bytesWritten)
  }
}

function after(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes
  for (const [index, part] of parts.entries()) {
    if (skip < part.byteLength) return [part.subarray(skip), ...parts.slice(index + 1)]
    skip -= part.byteLength
  }
  return []
}
