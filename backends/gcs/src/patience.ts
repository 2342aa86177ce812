import { type ErrorCode, inContext, isMullionError, type MullionError } from 'mullion'
import { failure } from './errors.ts'
import type { Caller } from './exchange.ts'

/** How often and how fast an upload tries again. */
export interface Patience {
  /** Failures in a row that end it. */
  readonly attempts: number
  /** Rejects with the reason of the signal. */
  pause(ms: number, signal: AbortSignal): Promise<void>
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 32_000

/** The service asks for exponential pauses with jitter: https://cloud.google.com/storage/docs/retry-strategy */
export function backoffMs(failures: number, error: unknown): number {
  const asked = isMullionError(error) && 'afterMs' in error.details ? (error.details.afterMs ?? 0) : 0
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1))
  return Math.min(LONGEST_PAUSE_MS, Math.max(asked, longest * (0.5 + Math.random() / 2)))
}

/** Counts failures without progress. */
export interface Failures {
  /** Waits before the next try; throws the error itself when there is none, or none is left. */
  count(error: unknown): Promise<void>
  reset(): void
}

const PASSING: ReadonlySet<ErrorCode> = new Set(['unavailable', 'timeout', 'rate_limited'])

/** Whether the same request may succeed later. Bytes that arrived wrong are worth another upload, but not that. */
export function isPassing(error: unknown): error is MullionError {
  return isMullionError(error) && error.retryable && PASSING.has(error.code)
}

export function failuresOf({ attempts, pause }: Patience, { signal, alive }: Caller): Failures {
  let failures = 0
  return {
    async count(error) {
      if (signal.aborted) throw signal.reason
      if (!isPassing(error)) throw error
      failures += 1
      if (failures >= attempts) throw inContext(error, {}, false) // the core need not try as often once more
      alive?.()
      await pause(backoffMs(failures, error), signal)
      alive?.()
    },
    reset() {
      failures = 0
    },
  }
}

export async function retrying<T>(patience: Patience, caller: Caller, run: () => Promise<T>): Promise<T> {
  const failures = failuresOf(patience, caller)
  for (;;) {
    try {
      return await run()
    } catch (error) {
      await failures.count(error)
    }
  }
}

/** Also ends when the store closes. */
export function pausing(closing: AbortSignal): Patience['pause'] {
  return (ms, signal) =>
    new Promise((resolve, reject) => {
      const over = (): void => {
        clearTimeout(timer)
        for (const each of [signal, closing]) each.removeEventListener('abort', over)
        const stopped = [signal, closing].find((each) => each.aborted)
        if (stopped) reject((stopped.reason ?? failure('closed', 'stopped', {})) as Error)
        else resolve()
      }
      const timer = setTimeout(over, ms)
      for (const each of [signal, closing]) each.addEventListener('abort', over, { once: true })
      if (signal.aborted || closing.aborted) over()
    })
}
