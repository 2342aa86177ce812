import type { ByteStream } from 'mullion'

/** A body in pieces of any size. It is read as far as it is asked for, and never again. */
export interface Feed {
  /** At most `max` bytes, undefined at the end. */
  next(max: number): Promise<Uint8Array | undefined>
  /** Whether more bytes come: waits for them. */
  more(): Promise<boolean>
  /** The rest of the body if it is no longer than `max` bytes; otherwise undefined, and nothing is lost. */
  rest(max: number): Promise<Buffer | undefined>
}

export function feedOf(body: ByteStream): Feed {
  const iterator = body[Symbol.asyncIterator]()
  const waiting: Uint8Array[] = []

  async function pull(): Promise<Uint8Array | undefined> {
    for (;;) {
      const { done, value } = await iterator.next()
      if (done) return undefined
      if (value.byteLength > 0) return value
    }
  }

  async function more(): Promise<boolean> {
    if (waiting.length > 0) return true
    const chunk = await pull()
    if (chunk) waiting.push(chunk)
    return chunk !== undefined
  }

  return {
    more,
    async next(max) {
      const chunk = waiting.shift() ?? (await pull())
      if (chunk === undefined || chunk.byteLength <= max) return chunk
      waiting.unshift(chunk.subarray(max))
      return chunk.subarray(0, max)
    },
    async rest(max) {
      const chunks: Uint8Array[] = []
      let length = 0
      while (length <= max) {
        const chunk = await pull()
        if (chunk === undefined) return Buffer.concat(chunks)
        chunks.push(chunk)
        length += chunk.byteLength
      }
      waiting.push(...chunks)
      return undefined
    },
  }
}
