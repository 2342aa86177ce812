import type { Notification } from './notification.ts'

/** How notifications leave the process. */
export interface Transport {
  /** What and where to, for the log: no credentials. */
  readonly name: string
  encode(notification: Notification): Buffer
  /**
   * Resolves once the other side has it. Rejects with a DeliveryFailure, or anything else for "try again". An abort of
   * the signal leaves nothing running.
   */
  deliver(parcel: Parcel, signal: AbortSignal): Promise<void>
  /** Lets go of every connection, within a second. */
  close(): Promise<void>
}

/** An encoded notification. */
export interface Parcel {
  readonly messageId: string
  readonly priority: Notification['priority']
  readonly body: Buffer
}

export interface DeliveryFailureInit extends ErrorOptions {
  /** Refused for good: the same again would end the same. */
  readonly final?: boolean
  /** How long the other side asks to be left alone. */
  readonly retryAfterMs?: number | undefined
}

export class DeliveryFailure extends Error {
  override readonly name = 'DeliveryFailure'
  readonly final: boolean
  readonly retryAfterMs: number | undefined

  constructor(message: string, { final = false, retryAfterMs, ...options }: DeliveryFailureInit = {}) {
    super(message, options)
    this.final = final
    this.retryAfterMs = retryAfterMs
  }
}
