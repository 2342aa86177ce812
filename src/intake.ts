import { type Puller, puller, type Watchdog } from './bytes.ts'
import { MullionError } from './errors.ts'
import { type Digests, type Hashes, type HashName, startDigests } from './hash/digests.ts'
import { type OnProgress, reporter } from './progress.ts'
import type { ByteStream } from './store.ts'

/** How long a store may take from the last byte until the object is durable: a slow disk flushes its cache here. */
const COMMIT_TIMEOUT_MS = 600_000

export interface IntakeRules {
  /** Names the upload in messages. */
  readonly label: string
  readonly size: number | undefined
  readonly limit: number
  readonly hashes: readonly HashName[]
  readonly expect: Hashes
  readonly onProgress: OnProgress | undefined
  /** Longest wait for the source, undefined for the usual, 0 for a source that watches itself. */
  readonly sourceIdleMs: number | undefined
}

export interface BodyFailure {
  readonly error: unknown
  /** Thrown by the source or the progress callback: the caller's own error. */
  readonly foreign: boolean
}

type Step = IteratorResult<Uint8Array, undefined>
const DONE: Step = { done: true, value: undefined }

/**
 * The stream a store consumes in one attempt of an upload, and what became of it: counts, limits, hashes and verifies in
 * one pass. It ends only when size and digests were met, and throws instead of ending otherwise.
 */
export class Intake implements AsyncIterableIterator<Uint8Array> {
  readonly #rules: IntakeRules
  readonly #pull: Puller
  readonly #idle: Watchdog
  readonly #digests: Digests
  readonly #report: ReturnType<typeof reporter>
  #count = 0
  #hashes: Hashes | undefined
  #failure: BodyFailure | undefined
  #pulling = false
  #released = false

  /** `idle` watches source and store by turns. Throws `invalid_argument` for an unknown digest. */
  constructor(source: ByteStream, rules: IntakeRules, signal: AbortSignal, idle: Watchdog) {
    this.#rules = rules
    this.#idle = idle
    this.#digests = startDigests(rules.hashes)
    this.#report = reporter(rules.onProgress, rules.size)
    this.#pull = puller(source, signal)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The store works although it asks for nothing. */
  alive(): void {
    if (!this.#pulling) this.#idle.wait('store', this.#hashes && COMMIT_TIMEOUT_MS)
  }

  /** A store may leave early; the source is released by who opened it. */
  async return(): Promise<Step> {
    return DONE
  }

  async next(): Promise<Step> {
    if (this.#failure) throw this.#failure.error
    if (this.#hashes) return DONE
    this.#assertHeld()
    try {
      return await this.#step()
    } catch (error) {
      this.#failure ??= { error, foreign: false }
      throw error
    }
  }

  /** What the body threw, whatever the store made of it. */
  failure(): BodyFailure | undefined {
    return this.#failure
  }

  /**
   * Asks for the end, which a store that was told the size may not have done, and verifies. Rejects as the body would,
   * or when the store left bytes. Resolves with what was counted and hashed.
   */
  async finish(): Promise<{ readonly size: number; readonly hashes: Hashes }> {
    if (!(await this.next()).done) throw stoppedEarly(this.#rules, this.#count)
    return { size: this.#count, hashes: this.#hashes ?? {} }
  }

  /** Lets go of the source. */
  async release(): Promise<void> {
    this.#released = true
    if (!this.#hashes) this.#digests.drop()
    await this.#pull.release()
  }

  async #step(): Promise<Step> {
    for (;;) {
      const { done, value } = await this.#pulled()
      this.#assertHeld()
      if (done) return this.#end()
      const length = taken(value, this.#rules, this.#count)
      if (length === 0) continue
      this.#count += length
      const wait = this.#digests.update(value)
      if (wait) {
        await wait
        this.#assertHeld()
      }
      this.#tell(this.#report.tick)
      this.#idle.wait('store')
      return { done: false, value }
    }
  }

  async #end(): Promise<Step> {
    this.#hashes = verified(this.#rules, this.#count, await this.#digests.digest())
    this.#idle.wait('store', COMMIT_TIMEOUT_MS)
    this.#tell(this.#report.end)
    return DONE
  }

  async #pulled(): Promise<IteratorResult<Uint8Array>> {
    const { sourceIdleMs } = this.#rules
    if (sourceIdleMs === 0) this.#idle.rest()
    else this.#idle.wait('source', sourceIdleMs)
    this.#pulling = true
    try {
      return await this.#pull.next()
    } catch (error) {
      this.#failure = { error, foreign: true }
      throw error
    } finally {
      this.#pulling = false
    }
  }

  /** A store may still ask, or wait, for a chunk when the upload is over. */
  #assertHeld(): void {
    if (!this.#released) return
    throw new MullionError('closed', `${this.#rules.label}: the upload is over`, { details: {} })
  }

  #tell(report: (bytes: number) => void): void {
    try {
      report(this.#count)
    } catch (error) {
      this.#failure = { error, foreign: true }
      throw error
    }
  }
}

/** The chunk's length, if it may be taken. */
function taken(chunk: unknown, { label, size, limit }: IntakeRules, count: number): number {
  if (!(chunk instanceof Uint8Array)) {
    throw new MullionError('invalid_argument', `${label}: the source yielded ${typeof chunk}, expected bytes`, {
      details: { name: 'source' },
    })
  }
  const total = count + chunk.byteLength
  if (total > limit) {
    throw new MullionError('too_large', `${label}: larger than ${limit} bytes`, { details: { limit } })
  }
  if (size !== undefined && total > size) throw wrongSize(label, size, total)
  return chunk.byteLength
}

function verified({ label, size, expect }: IntakeRules, count: number, actual: Hashes): Hashes {
  if (size !== undefined && count !== size) throw wrongSize(label, size, count)
  for (const [algorithm, expected] of Object.entries(expect)) {
    const value = actual[algorithm] ?? ''
    if (value === expected) continue
    throw new MullionError('hash_mismatch', `${label}: expected ${algorithm} ${expected}, got ${value}`, {
      details: { algorithm, expected, actual: value },
    })
  }
  return actual
}

function wrongSize(label: string, expected: number, actual: number): MullionError<'size_mismatch'> {
  return new MullionError('size_mismatch', `${label}: expected ${expected} bytes, got ${actual}`, {
    details: { expected, actual },
  })
}

function stoppedEarly({ label }: IntakeRules, count: number): MullionError<'internal'> {
  return new MullionError('internal', `${label}: the store stopped reading before the end, after ${count} bytes`, {
    details: {},
  })
}
