/** A header as JSON, and bytes: how the two processes talk over their socket. */
const PREFIX_BYTES = 8

/** What comes before the payload. */
export function frameHead(header: object, payloadBytes: number): Buffer {
  const text = Buffer.from(JSON.stringify(header))
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES)
  prefix.writeUInt32BE(text.byteLength, 0)
  prefix.writeUInt32BE(payloadBytes, 4)
  return Buffer.concat([prefix, text])
}

export interface Frame<P> {
  readonly header: unknown
  readonly payload: P
}

/** Reads frames in place: whoever has bytes puts them into `target` and says how many, so that no payload is copied. */
export class FrameReader {
  readonly #allocate: (bytes: number) => Buffer
  #part: 'prefix' | 'header' | 'payload' = 'prefix'
  #bytes: Buffer = Buffer.allocUnsafeSlow(PREFIX_BYTES)
  #filled = 0
  #header: unknown
  #payloadBytes = 0

  /** `allocate` is for payloads. */
  constructor(allocate: (bytes: number) => Buffer = Buffer.allocUnsafeSlow) {
    this.#allocate = allocate
  }

  target(): Uint8Array {
    return this.#bytes.subarray(this.#filled)
  }

  /** A frame when it is complete; its payload is the receiver's. */
  fill(count: number): Frame<Buffer> | undefined {
    this.#filled += count
    if (this.#filled < this.#bytes.byteLength) return undefined
    if (this.#part === 'prefix') {
      this.#payloadBytes = this.#bytes.readUInt32BE(4)
      return this.#expect('header', this.#bytes.readUInt32BE(0))
    }
    if (this.#part === 'header') {
      this.#header = JSON.parse(this.#bytes.toString())
      if (this.#payloadBytes > 0) return this.#expect('payload', this.#payloadBytes)
    }
    const payload = this.#part === 'payload' ? this.#bytes : Buffer.alloc(0)
    this.#expect('prefix', PREFIX_BYTES)
    return { header: this.#header, payload }
  }

  #expect(part: 'prefix' | 'header' | 'payload', bytes: number): undefined {
    this.#part = part
    this.#bytes = part === 'payload' ? this.#allocate(bytes) : Buffer.allocUnsafeSlow(bytes)
    this.#filled = 0
  }
}

/** Cuts frames out of the chunks of a stream. The payload is the chunks themselves. */
export class FrameSplitter {
  #held: Buffer[] = []
  #bytes = 0
  #frame: { readonly header: unknown; readonly payloadBytes: number } | undefined;

  *push(chunk: Buffer): Generator<Frame<readonly Buffer[]>> {
    this.#held.push(chunk)
    this.#bytes += chunk.byteLength
    for (;;) {
      this.#frame ??= this.#head()
      if (!this.#frame || this.#bytes < this.#frame.payloadBytes) return
      const { header, payloadBytes } = this.#frame
      this.#frame = undefined
      yield { header, payload: this.#take(payloadBytes) }
    }
  }

  #head(): { readonly header: unknown; readonly payloadBytes: number } | undefined {
    if (this.#bytes < PREFIX_BYTES) return undefined
    const first = this.#joined(PREFIX_BYTES)
    const headerBytes = first.readUInt32BE(0)
    if (this.#bytes < PREFIX_BYTES + headerBytes) return undefined
    const payloadBytes = first.readUInt32BE(4)
    this.#joined(PREFIX_BYTES + headerBytes)
    const [, text = Buffer.alloc(0)] = [this.#take(PREFIX_BYTES), ...this.#take(headerBytes)]
    return { header: JSON.parse(text.toString()), payloadBytes }
  }

  /** The first `bytes` in one chunk. */
  #joined(bytes: number): Buffer {
    const [first = Buffer.alloc(0)] = this.#held
    if (first.byteLength >= bytes) return first
    const joined = Buffer.concat(this.#held)
    this.#held = [joined]
    return joined
  }

  #take(bytes: number): readonly Buffer[] {
    const taken: Buffer[] = []
    let missing = bytes
    while (missing > 0) {
      const chunk = this.#held[0]
      if (!chunk) throw new RangeError('fewer bytes than a frame needs')
      if (chunk.byteLength <= missing) this.#held.shift()
      else this.#held[0] = chunk.subarray(missing)
      taken.push(chunk.subarray(0, missing))
      missing -= Math.min(missing, chunk.byteLength)
    }
    this.#bytes -= bytes
    return taken
  }
}
