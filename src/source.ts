import { release } from './bytes.ts'
import { MullionError } from './errors.ts'
import type { ByteStream } from './store.ts'

/** A function can be called again, and so can bytes: such uploads are retried. Anything else is read once. */
export type ByteSource = Uint8Array | Blob | ByteStream | Iterable<Uint8Array> | (() => ByteStream)

/** Bytes handed on at once from a source that is in memory: digests must not hold up the event loop for long. */
const SLICE = 256 * 1024

export interface OpenSource {
  /** Bytes, when the source knows. */
  readonly size: number | undefined
  /** Whether `open` may be called again. */
  readonly replayable: boolean
  /** Starts from the first byte. */
  open(): ByteStream
  /** Lets go of a source that was not opened and will not be. */
  abandon(): Promise<void>
}

/** Throws `invalid_argument` when it is none. */
export function openSource(source: ByteSource): OpenSource {
  if (source instanceof Uint8Array) return replayable(source.byteLength, () => slices([source]))
  if (source instanceof Blob) return replayable(source.size, () => source.stream())
  if (typeof source === 'function') return replayable(undefined, () => checked(source()))
  if (Array.isArray(source)) {
    const chunks = source.map(asBytes)
    const size = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    return replayable(size, () => slices(chunks))
  }
  return once(checked(source))
}

function replayable(size: number | undefined, open: () => ByteStream): OpenSource {
  return { size, replayable: true, open, abandon: async () => {} }
}

function once(stream: ByteStream): OpenSource {
  let opened = false
  return {
    size: undefined,
    replayable: false,
    open() {
      opened = true
      return stream
    },
    abandon: async () => (opened ? undefined : release(stream)),
  }
}

function checked(source: unknown): ByteStream {
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) return source as ByteStream
    if (Symbol.iterator in source) return slices(source as Iterable<Uint8Array>)
  }
  throw notBytes('bytes or an iterable of bytes', source)
}

function asBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk
  throw notBytes('chunks of bytes', chunk)
}

function notBytes(expected: string, got: unknown): MullionError {
  return new MullionError('invalid_argument', `source: expected ${expected}, got ${typeof got}`, {
    details: { name: 'source' },
  })
}

async function* slices(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    asBytes(chunk)
    for (let start = 0; start < chunk.byteLength; start += SLICE) yield chunk.subarray(start, start + SLICE)
  }
}
