import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Settings } from './config.ts'
import { isPassing } from './errors.ts'

const BASE_MS = 100
const MAX_MS = 5000

export interface Trying {
  readonly settings: Pick<S3Settings, 'uploadAttempts'>
  /** Called after each try that failed. */
  alive?(): void
}

/** Runs `attempt` again while it fails with what may pass. Rejects with the last error, or the reason of the signal. */
export async function attempted<T>(trying: Trying, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let number = 1; ; number += 1) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      trying.alive?.()
      if (number >= trying.settings.uploadAttempts || !isPassing(error)) throw error
      await pause(number, signal)
    }
  }
}

/** The wait after try `number`, from 1: full jitter over a window that doubles. Rejects with the reason of the signal. */
export async function pause(number: number, signal: AbortSignal): Promise<void> {
  const ms = Math.random() * Math.min(MAX_MS, BASE_MS * 2 ** (number - 1))
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
}
