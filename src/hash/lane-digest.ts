import { createHash, type Hash } from 'node:crypto'
import type { Digest } from './digest.ts'
import { type Lane, type LaneStream, openLane } from './lanes.ts'

/** Bytes per message, and messages under way per digest: what a digest holds at most beside the chunk itself. */
const BATCH = 512 * 1024
const IN_FLIGHT = 4

/**
 * A digest that another thread computes. Chunks are copied into buffers that go to the thread and come back; a body
 * that fits into one never bothers a thread. Where no thread can be started the digest is computed here.
 */
export function laneDigest(algorithm: string): Digest {
  return new LaneDigest(algorithm)
}

class LaneDigest implements Digest, LaneStream {
  readonly #algorithm: string
  readonly #free: ArrayBuffer[] = []
  #made = 0
  #batch: Uint8Array<ArrayBuffer> | undefined
  #filled = 0
  #lane: Lane | undefined
  /** Computes it here, where there is no lane. */
  #local: Hash | undefined
  #room: PromiseWithResolvers<void> | undefined
  #result: PromiseWithResolvers<string> | undefined
  #failure: { readonly error: unknown } | undefined
  #dropped = false

  constructor(algorithm: string) {
    this.#algorithm = algorithm
  }

  update(chunk: Uint8Array): void | Promise<void> {
    if (this.#dropped) return
    if (this.#failure) return Promise.reject(this.#failure.error)
    if (this.#local) return void this.#local.update(chunk)
    let taken = 0
    while (taken < chunk.byteLength) {
      const batch = (this.#batch ??= this.#buffer())
      if (!batch) return this.#waitForRoom().then(() => this.update(chunk.subarray(taken)))
      const part = chunk.subarray(taken, taken + BATCH - this.#filled)
      batch.set(part, this.#filled)
      this.#filled += part.byteLength
      taken += part.byteLength
      if (this.#filled < BATCH) continue
      if (!this.#lane) return this.#connect().then(() => this.update(chunk.subarray(taken)))
      this.#send(this.#lane)
    }
  }

  digest(): string | Promise<string> {
    if (this.#failure) return Promise.reject(this.#failure.error)
    const lane = this.#lane
    if (!lane) return this.#locally().digest('hex')
    this.#result = Promise.withResolvers<string>()
    if (this.#filled > 0) this.#send(lane)
    lane.post({ kind: 'end' })
    return this.#result.promise.finally(() => lane.leave())
  }

  /** An update that waits for a thread, or for room, ends as well. */
  drop(): void {
    if (this.#dropped || this.#result || this.#failure) return
    this.#dropped = true
    this.#abandon()
    this.#room?.resolve()
  }

  returned(buffer: ArrayBuffer): void {
    this.#free.push(buffer)
    this.#room?.resolve()
  }

  digested(hex: string): void {
    this.#result?.resolve(hex)
  }

  failed(error: unknown): void {
    this.#failure = { error }
    this.#room?.reject(error)
    this.#result?.reject(error)
  }

  #buffer(): Uint8Array<ArrayBuffer> | undefined {
    const used = this.#free.pop()
    if (used) return new Uint8Array(used)
    if (this.#made >= IN_FLIGHT) return undefined
    this.#made += 1
    return new Uint8Array(BATCH)
  }

  async #waitForRoom(): Promise<void> {
    this.#room = Promise.withResolvers<void>()
    await this.#room.promise
    this.#room = undefined
  }

  async #connect(): Promise<void> {
    this.#lane = await openLane(this.#algorithm, this)
    if (this.#dropped) this.#abandon()
    else if (this.#lane) this.#send(this.#lane)
    else this.#locally()
  }

  #abandon(): void {
    this.#lane?.post({ kind: 'drop' })
    this.#lane?.leave()
  }

  #locally(): Hash {
    const hash = (this.#local ??= createHash(this.#algorithm))
    if (this.#batch) hash.update(this.#batch.subarray(0, this.#filled))
    this.#batch = undefined
    return hash
  }

  #send(lane: Lane): void {
    const { buffer } = this.#batch as Uint8Array<ArrayBuffer>
    lane.post({ kind: 'bytes', buffer, length: this.#filled }, [buffer])
    this.#batch = undefined
    this.#filled = 0
  }
}
