import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Notification } from './notification.ts'
import type { Outlet } from './publisher.ts'
import { DeliveryFailure, type Parcel, type Transport } from './transport.ts'
import { type OutboxLog, Troubles } from './troubles.ts'

export interface OutboxOptions {
  /** Notifications and bytes of them that wait at most, the one on its way included. Beyond that the oldest are dropped. */
  readonly maxCount: number
  readonly maxBytes: number
  /** How long one try may take. */
  readonly attemptMs: number
  /** A notification that could not be delivered for this long since it was made is dropped. */
  readonly giveUpMs: number
  /** How long `close` delivers what waits. */
  readonly closeMs: number
  /** The pause after the first failure in a row; it doubles with each, up to the second. Jitter takes up to half of it. */
  readonly pauseMs?: number
  readonly maxPauseMs?: number
  /** The longest pause that the other side can ask for. */
  readonly maxRetryAfterMs?: number
  readonly log: OutboxLog
}

interface Waiting extends Parcel {
  readonly since: number
}

/**
 * Delivers notifications one after the other, in order, beside the requests that cause them. What fails is tried again
 * until it is refused for good or too old; meanwhile the others wait, because their order matters.
 */
export class Outbox implements Outlet {
  readonly #transport: Transport
  readonly #options: Required<OutboxOptions>
  readonly #troubles: Troubles
  /** The first is on its way while `#delivering` is set. */
  readonly #waiting: Waiting[] = []
  readonly #hurry = new AbortController()
  readonly #end = new AbortController()
  #bytes = 0
  #failures = 0
  #delivering: Promise<void> | undefined
  #attempting: AbortController | undefined
  #closed: Promise<void> | undefined

  constructor(transport: Transport, options: OutboxOptions) {
    this.#transport = transport
    this.#options = { pauseMs: 500, maxPauseMs: 30_000, maxRetryAfterMs: 300_000, ...options }
    this.#troubles = new Troubles(transport.name, options.log)
  }

  add(notification: Notification): void {
    const { messageId, priority } = notification
    const body = this.#transport.encode(notification)
    if (this.#closed) return this.#troubles.lost(1, 'the server stops')
    if (!this.#makeRoom(body.byteLength)) return this.#troubles.lost(1, 'the queue is full')
    this.#waiting.push({ messageId, priority, body, since: performance.now() })
    this.#bytes += body.byteLength
    this.#delivering ??= this.#deliverAll()
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#finish())
  }

  /** Drops the oldest, but for the one on its way: whether that arrived is not known. False when it does not help. */
  #makeRoom(bytes: number): boolean {
    if (bytes > this.#options.maxBytes) return false
    let dropped = 0
    for (; this.#waiting.length > 1 && this.#isFull(bytes); dropped += 1) this.#remove(1)
    if (dropped > 0) this.#troubles.lost(dropped, 'the queue is full: the oldest are dropped')
    return !this.#isFull(bytes)
  }

  #isFull(bytes: number): boolean {
    return this.#waiting.length >= this.#options.maxCount || this.#bytes + bytes > this.#options.maxBytes
  }

  #remove(index: number): void {
    for (const { body } of this.#waiting.splice(index, 1)) this.#bytes -= body.byteLength
  }

  async #deliverAll(): Promise<void> {
    await nextTurn() // the request comes first
    for (let [first] = this.#waiting; first && !this.#end.signal.aborted; [first] = this.#waiting) {
      const failure = await this.#attempt(first)
      if (!failure) {
        this.#remove(0)
        this.#troubles.delivered(this.#waiting.length === 0)
      } else if (failure.final) {
        this.#remove(0)
        this.#troubles.lost(1, failure.message)
      } else if (!this.#end.signal.aborted) await this.#recover(failure)
    }
    this.#delivering = undefined
  }

  async #attempt(parcel: Parcel): Promise<DeliveryFailure | undefined> {
    const attempt = new AbortController()
    const late = new DeliveryFailure(`no answer within ${this.#options.attemptMs / 1000} s`)
    const timer = setTimeout(() => attempt.abort(late), this.#options.attemptMs)
    this.#attempting = attempt
    try {
      await this.#transport.deliver(parcel, attempt.signal)
      this.#failures = 0
      return undefined
    } catch (thrown) {
      this.#failures += 1
      const error: unknown = attempt.signal.aborted ? attempt.signal.reason : thrown
      return error instanceof DeliveryFailure ? error : new DeliveryFailure(reasonOf(error))
    } finally {
      clearTimeout(timer)
    }
  }

  async #recover(failure: DeliveryFailure): Promise<void> {
    this.#troubles.failed(failure.message)
    const oldest = performance.now() - this.#options.giveUpMs
    const old = this.#waiting.filter(({ since }) => since <= oldest).length
    for (let left = old; left > 0; left -= 1) this.#remove(0)
    if (old > 0) this.#troubles.lost(old, `not delivered within ${this.#options.giveUpMs / 1000} s: ${failure.message}`)
    if (this.#waiting.length > 0) await this.#pause(failure)
  }

  /** Full pauses until the outbox closes, which ends the one that runs. */
  async #pause({ retryAfterMs = 0 }: DeliveryFailure): Promise<void> {
    const { pauseMs, maxPauseMs, maxRetryAfterMs } = this.#options
    const longest = Math.min(maxPauseMs, pauseMs * 2 ** Math.min(this.#failures - 1, 30))
    const ms = Math.max(longest * (1 - Math.random() / 2), Math.min(retryAfterMs, maxRetryAfterMs))
    const signal = this.#closed ? this.#end.signal : AbortSignal.any([this.#hurry.signal, this.#end.signal])
    await sleep(ms, undefined, { signal }).catch(() => {})
  }

  async #finish(): Promise<void> {
    this.#failures = 0 // the short time that is left is not for long pauses
    this.#hurry.abort()
    const timer = setTimeout(() => this.#giveUp(), this.#options.closeMs)
    await this.#delivering
    clearTimeout(timer)
    await this.#transport.close()
    this.#troubles.closed(this.#waiting.length)
    this.#waiting.length = 0
  }

  #giveUp(): void {
    this.#end.abort()
    this.#attempting?.abort()
  }
}

/** Node's error of several addresses that all refuse has a code and no message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message || (error as NodeJS.ErrnoException).code || error.name
}
