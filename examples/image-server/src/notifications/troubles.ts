/** The three methods of a pino logger that are needed. */
export interface OutboxLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/**
 * Says what goes wrong with one way of delivery without filling the log: one line when deliveries begin to fail, one
 * when notifications begin to be lost, and one with their number once everything that waited has been delivered.
 */
export class Troubles {
  readonly #notifier: string
  readonly #log: OutboxLog
  #failing = false
  #lost = 0

  constructor(notifier: string, log: OutboxLog) {
    this.#notifier = notifier
    this.#log = log
  }

  failed(reason: string): void {
    if (this.#failing) return
    this.#failing = true
    this.#log.warn({ notifier: this.#notifier, reason }, 'notifications cannot be delivered; trying again')
  }

  lost(count: number, reason: string): void {
    if (this.#lost === 0) this.#log.error({ notifier: this.#notifier, reason }, 'notifications are being lost')
    this.#lost += count
  }

  /** `all`: nothing waits any more. */
  delivered(all: boolean): void {
    if (!all || (!this.#failing && this.#lost === 0)) return
    this.#log.info({ notifier: this.#notifier, lost: this.#lost }, 'notifications are delivered again')
    this.#failing = false
    this.#lost = 0
  }

  /** `left` could not be delivered before the end. */
  closed(left: number): void {
    const lost = this.#lost + left
    if (lost > 0) this.#log.error({ notifier: this.#notifier, lost }, 'notifications were lost by the end')
  }
}
