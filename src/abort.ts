/** A signal of one's own that also follows others, and lets go of them at the end. */
export interface AbortScope extends Disposable {
  readonly signal: AbortSignal
  abort(reason: unknown): void
}

/**
 * Unlike `AbortSignal.any` it leaves nothing behind on a signal that outlives it, such as that of a whole process.
 * Dispose of it when the work is over.
 */
export function abortScope(...parents: readonly (AbortSignal | undefined)[]): AbortScope {
  const controller = new AbortController()
  const unlink: (() => void)[] = []
  for (const parent of parents) {
    if (parent === undefined) continue
    const follow = (): void => controller.abort(parent.reason)
    if (parent.aborted) follow()
    parent.addEventListener('abort', follow, { once: true })
    unlink.push(() => parent.removeEventListener('abort', follow))
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]() {
      for (const stop of unlink) stop()
    },
  }
}

/** The promise, or a rejection with `signal.reason` as soon as the signal aborts; `late` gets what comes after that. */
export function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  late: (result: T) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      reject(signal.reason as Error)
      promise.then(late, () => {})
    }
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    const settle = <A>(how: (outcome: A) => void): ((outcome: A) => void) => {
      return (outcome) => {
        signal.removeEventListener('abort', stop)
        how(outcome)
      }
    }
    promise.then(settle(resolve), settle(reject))
  })
}

/** How long work that was told to stop may take to clean up before nobody waits for it any more. */
const GRACE_MS = 10_000

/**
 * Waits for work that heeds the signal itself and cleans up after itself. If it does not settle within a grace period
 * after the abort it is given up: rejects with `signal.reason`, and `late` gets what it may still resolve with.
 */
export function settledOrAborted<T>(work: Promise<T>, signal: AbortSignal, late: (result: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const giveUp = (): void => {
      reject(signal.reason as Error)
      work.then(late, () => {})
    }
    const onAbort = (): void => {
      timer = setTimeout(giveUp, GRACE_MS)
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    })
  })
}
