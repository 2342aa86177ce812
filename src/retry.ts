import { setTimeout as sleep } from 'node:timers/promises'
import { isMullionError, type MullionError } from './errors.ts'

export interface RetryPolicy {
  /** Tries in all; 1 never tries again. Default 3. */
  readonly attempts: number
  /** The longest first pause in milliseconds; doubles with every attempt. Default 100. */
  readonly baseMs: number
  /** No pause is longer, unless the store asks for it. Default 10,000. */
  readonly maxMs: number
  /** 0 ≤ x < 1. Default Math.random. */
  readonly random: () => number
  /** Default: a timer. Rejects with `signal.reason` when the signal aborts. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
}

export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 3,
  baseMs: 100,
  maxMs: 10_000,
  random: Math.random,
  async pause(ms, signal) {
    await sleep(ms, undefined, { signal }).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : error
    })
  },
}

/** A peer that asks for a longer pause gets this one: who waits wants an answer. */
const MAX_ASKED_MS = 60_000

/** Pause before the attempt after `attempt` (from 1): full jitter over an exponential window, or what the store asks. */
export function backoffMs(policy: RetryPolicy, attempt: number, error: MullionError): number {
  const asked = 'afterMs' in error.details ? error.details.afterMs : undefined
  if (asked !== undefined) return Math.min(asked, MAX_ASKED_MS)
  return policy.random() * Math.min(policy.maxMs, policy.baseMs * 2 ** (attempt - 1))
}

/**
 * Runs `attempt` until it succeeds, fails with an error that is not retryable, or the attempts are spent. `mayRetry`
 * can veto. Rejects with the last error.
 */
export async function retrying<T>(
  policy: RetryPolicy,
  signal: AbortSignal,
  mayRetry: () => boolean,
  attempt: (number: number) => Promise<T>,
): Promise<T> {
  for (let number = 1; ; number += 1) {
    try {
      return await attempt(number)
    } catch (error) {
      if (!isMullionError(error) || !error.retryable || number >= policy.attempts || !mayRetry()) throw error
      await policy.pause(backoffMs(policy, number, error), signal)
    }
  }
}
