import { setMaxListeners } from 'node:events'

/** Runs tasks at the same time, bounded by what they weigh together. */
export interface Window {
  /** Waits for room, then starts the task. One that is heavier than the whole window runs alone. Rejects as they do. */
  enter(weight: number, task: (signal: AbortSignal) => Promise<void>): Promise<void>
  /** The promise, or a rejection as soon as a task fails or the signal aborts. */
  orFailed<T>(promise: Promise<T>): Promise<T>
  /** Resolves when no task runs. Rejects as they do. */
  emptied(): Promise<void>
  /** Aborts the tasks that run and waits until they have ended. */
  stop(reason: unknown): Promise<void>
}

/** Tasks are given a signal that aborts with `outer`, and when one of them fails. */
export function windowOf(capacity: number, outer: AbortSignal): Window {
  const inner = new AbortController()
  setMaxListeners(0, inner.signal) // one listener for each task
  const running = new Set<Promise<void>>()
  const failing = Promise.withResolvers<never>()
  failing.promise.catch(() => {}) // heard by whoever waits
  let weighing = 0

  function fail(error: unknown): void {
    failing.reject(error)
    inner.abort(error)
  }
  const onAbort = (): void => fail(outer.reason)
  outer.addEventListener('abort', onAbort, { once: true })
  if (outer.aborted) onAbort()

  const isFull = (more: number): boolean => running.size > 0 && weighing + more > capacity
  const orFailed = <T>(promise: Promise<T>): Promise<T> => Promise.race([promise, failing.promise])

  return {
    orFailed,
    async enter(weight, task) {
      while (isFull(weight)) await orFailed(Promise.race(running))
      inner.signal.throwIfAborted()
      weighing += weight
      const ended = task(inner.signal)
        .catch(fail)
        .finally(() => {
          weighing -= weight
          running.delete(ended)
        })
      running.add(ended)
    },
    async emptied() {
      await orFailed(Promise.all(running))
      inner.signal.throwIfAborted()
    },
    async stop(reason) {
      outer.removeEventListener('abort', onAbort)
      if (running.size > 0) inner.abort(reason)
      await Promise.all(running)
    },
  }
}
