import type { FileHandle } from 'node:fs/promises'
import type { CachedData } from './port.ts'

/** Bytes of one read, and all that a reader holds in memory beside what its consumer took. */
const PAGE = 256 * 1024

/** At least one byte and at most `length`. Throws when the file ends before `at`. */
export async function readPage(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const page = Buffer.allocUnsafe(Math.min(length, PAGE))
  const { bytesRead } = await file.read(page, 0, page.length, at)
  if (bytesRead === 0) throw new Error(`the cached file ends at byte ${at}`)
  return page.subarray(0, bytesRead)
}

/** `body` is given a signal that aborts with `signal` or when the result is disposed of; then `release` is called. */
export function lend(
  size: number,
  signal: AbortSignal,
  body: (signal: AbortSignal) => AsyncGenerator<Uint8Array, void>,
  release: () => Promise<void>,
): CachedData {
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal.reason)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  const bytes = body(controller.signal)
  let released: Promise<void> | undefined
  const end = async (): Promise<void> => {
    signal.removeEventListener('abort', stop)
    controller.abort(new Error('nobody reads any more'))
    await bytes.return() // after the read that is under way, so that no file is closed below it
    await release()
  }
  return { size, body: bytes, [Symbol.asyncDispose]: () => (released ??= end()) }
}
