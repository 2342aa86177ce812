import { idleError, type Puller, puller, release, type Watchdog, watchdog } from './bytes.ts'
import { inContext, MullionError } from './errors.ts'
import { type OpenedStore, translated } from './opened.ts'
import { type OnProgress, reporter } from './progress.ts'
import { backoffMs, type RetryPolicy } from './retry.ts'
import type { ReadResult } from './store.ts'

export interface Flow {
  readonly opened: OpenedStore
  /** The redacted location. */
  readonly shown: string
  readonly offset: number
  readonly length: number | undefined
  readonly onProgress: OnProgress | undefined
  readonly retry: RetryPolicy
  readonly idleTimeoutMs: number
  /** Opens the object again at `from`, for `count` bytes or the rest. */
  readonly open: (from: number, count: number | undefined) => Promise<ReadResult>
  /** Aborting ends the flow, also when nobody reads. */
  readonly signal: AbortSignal
  /** Called once when the flow is over, however. */
  readonly end: () => void
}

type Step = IteratorResult<Uint8Array, undefined>
const DONE: Step = { done: true, value: undefined }

/**
 * The body a caller reads: counts, checks the length at the end, and goes on at the byte where it broke when the store
 * has ranges and the object is still the same by etag, or by size where there is none. Not a generator: `return()`
 * releases the native body also when nobody read from it.
 */
export class Outflow implements AsyncIterableIterator<Uint8Array> {
  readonly #flow: Flow
  readonly #first: ReadResult
  readonly #expected: number | undefined
  readonly #report: ReturnType<typeof reporter>
  readonly #idle: Watchdog
  readonly #onAbort: () => void = () => void this.#finish()
  /** The native stream that is read at the moment. */
  #stretch: Puller | undefined
  #started = false
  #interrupt: ((error: unknown) => void) | undefined
  #count = 0
  /** Failed tries since the last byte. */
  #spent = 0
  #over = false

  constructor(first: ReadResult, flow: Flow) {
    this.#flow = flow
    this.#first = first
    this.#expected = expectedLength(first.size, flow)
    this.#report = reporter(flow.onProgress, this.#expected)
    this.#idle = watchdog(flow.idleTimeoutMs, (whom, limitMs) =>
      this.#interrupt?.(idleError(label(flow), whom, limitMs)),
    )
    flow.signal.addEventListener('abort', this.#onAbort, { once: true })
    if (flow.signal.aborted) this.#onAbort()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async return(): Promise<Step> {
    await this.#finish()
    return DONE
  }

  async next(): Promise<Step> {
    while (!this.#over) {
      let step: IteratorResult<Uint8Array>
      try {
        step = this.#counted(await this.#pulled())
      } catch (error) {
        await this.#recover(error)
        continue
      }
      if (step.done) return this.#ended()
      if (step.value.byteLength === 0) continue
      this.#spent = 0
      await this.#reported()
      return { done: false, value: step.value }
    }
    this.#flow.signal.throwIfAborted()
    return DONE
  }

  async #pulled(): Promise<IteratorResult<Uint8Array>> {
    this.#started = true
    this.#stretch ??= puller(this.#first.body, this.#flow.signal)
    const { next } = this.#stretch
    this.#idle.wait('store')
    try {
      return await new Promise((resolve, reject) => {
        this.#interrupt = reject
        next().then(resolve, reject)
      })
    } finally {
      this.#idle.rest()
    }
  }

  #counted(step: IteratorResult<Uint8Array>): IteratorResult<Uint8Array> {
    const expected = this.#expected
    if (!step.done) this.#count += step.value.byteLength
    if (expected !== undefined && this.#count > expected) throw tooLong(this.#flow, expected, this.#count)
    if (expected !== undefined && step.done && this.#count < expected) throw cutShort(this.#flow, expected, this.#count)
    return step
  }

  async #ended(): Promise<Step> {
    await this.#finish()
    this.#report.end(this.#count)
    return DONE
  }

  /** A report that throws ends the flow: its bytes were not handed out, so nothing may go on behind them. */
  async #reported(): Promise<void> {
    try {
      this.#report.tick(this.#count)
    } catch (error) {
      await this.#finish()
      throw error
    }
  }

  /** Goes on where it broke, or ends the flow and throws. */
  async #recover(thrown: unknown): Promise<void> {
    const { opened, shown, signal, retry } = this.#flow
    let error = thrown
    while (!this.#over) {
      const known = translated(opened, error, { operation: 'get', location: shown })
      error = known
      if (!known.retryable || !this.#resumable()) break
      error = inContext(known, {}, false)
      if (this.#spent + 1 >= retry.attempts) break
      try {
        return await this.#resume(known)
      } catch (again) {
        error = again
      }
    }
    if (this.#over) return
    await this.#finish()
    throw signal.aborted ? signal.reason : error
  }

  /** Without etag and size nothing tells whether it is still the same object. */
  #resumable(): boolean {
    const { etag, size } = this.#first
    return this.#flow.opened.spec.capabilities.range && (etag !== undefined || size !== undefined)
  }

  async #resume(error: MullionError): Promise<void> {
    const { retry, signal, open, offset, length } = this.#flow
    this.#spent += 1
    await this.#leave()
    await retry.pause(backoffMs(retry, this.#spent, error), signal)
    const again = await open(offset + this.#count, length === undefined ? undefined : length - this.#count)
    if (this.#over) return release(again.body)
    this.#stretch = puller(again.body, signal)
    const { etag, size } = this.#first
    const same = etag === undefined ? again.size === size : again.etag === etag
    if (!same) throw changed(this.#flow)
  }

  async #leave(): Promise<void> {
    const left = this.#stretch
    this.#stretch = undefined
    await left?.release()
  }

  async #finish(): Promise<void> {
    if (this.#over) return
    this.#over = true
    this.#flow.signal.removeEventListener('abort', this.#onAbort)
    this.#idle.end()
    this.#interrupt?.(undefined) // wakes a reader that waits
    await (this.#started ? this.#leave() : release(this.#first.body))
    this.#flow.end()
  }
}

/** Bytes the body must have, if the size is known. */
function expectedLength(size: number | undefined, { offset, length }: Flow): number | undefined {
  if (size === undefined) return undefined
  const rest = Math.max(0, size - offset)
  return length === undefined ? rest : Math.min(rest, length)
}

const label = ({ opened, shown }: Flow): string => `${opened.id}: get ${shown}`

/** Worth another try: a connection that was cut may look like an end. */
function cutShort(flow: Flow, expected: number, actual: number): MullionError {
  return new MullionError('size_mismatch', `${label(flow)}: expected ${expected} bytes, got ${actual}`, {
    details: { expected, actual },
    retryable: true,
  })
}

function tooLong(flow: Flow, expected: number, actual: number): MullionError {
  return new MullionError('size_mismatch', `${label(flow)}: expected ${expected} bytes, got more`, {
    details: { expected, actual },
  })
}

function changed(flow: Flow): MullionError {
  return new MullionError('conflict', `${label(flow)}: the object changed while it was read`, {
    details: { expected: flow.shown },
  })
}
