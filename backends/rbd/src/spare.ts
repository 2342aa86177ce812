/** Larger than any piece the store asks for in a row; what is given back beyond is left to the garbage collector. */
const KEPT_BYTES = 64 * 1024 ** 2
const LEAST_BYTES = 64 * 1024

/** Buffers for payloads, used again: new ones cost as much as the copying, and pile up until they are collected. */
export class SpareBuffers {
  readonly #spare = new Map<number, Buffer[]>()
  #kept = 0

  take(bytes: number): Buffer {
    if (bytes < LEAST_BYTES) return Buffer.allocUnsafeSlow(bytes)
    const size = 2 ** Math.ceil(Math.log2(bytes))
    const found = this.#spare.get(size)?.pop()
    if (found) this.#kept -= size
    return (found ?? Buffer.allocUnsafeSlow(size)).subarray(0, bytes)
  }

  /** Nobody may use it any more. */
  give({ buffer }: Buffer): void {
    const size = buffer.byteLength
    if (size < LEAST_BYTES || this.#kept + size > KEPT_BYTES) return
    this.#kept += size
    const spare = this.#spare.get(size)
    if (spare) spare.push(Buffer.from(buffer))
    else this.#spare.set(size, [Buffer.from(buffer)])
  }
}
