import { MullionError } from './errors.ts'
import type { ByteStream } from './store.ts'

/** Barks when a wait lasts too long. One timer serves all the waits of a transfer. */
export interface Watchdog {
  /** Somebody is waited for, from now on; `limitMs` if other than usual. */
  wait(forWhom: string, limitMs?: number): void
  /** Nobody is. */
  rest(): void
  /** For good. */
  end(): void
}

/** `usualMs` 0 never barks. */
export function watchdog(usualMs: number, bark: (forWhom: string, limitMs: number) => void): Watchdog {
  let awaited: string | undefined
  let timer: NodeJS.Timeout | undefined
  let current = usualMs
  let ended = usualMs === 0
  return {
    wait(forWhom, limitMs = usualMs) {
      if (ended) return
      awaited = forWhom
      if (timer && limitMs === current) return void timer.refresh()
      clearTimeout(timer)
      current = limitMs
      timer = setTimeout(() => awaited !== undefined && bark(awaited, limitMs), limitMs)
    },
    rest() {
      awaited = undefined
    },
    end() {
      ended = true
      awaited = undefined
      clearTimeout(timer)
    },
  }
}

export function idleError(label: string, whom: string, limitMs: number): MullionError<'timeout'> {
  return new MullionError('timeout', `${label}: the ${whom} moved no data for ${limitMs} ms`, { details: { limitMs } })
}

/** Pulls chunks, or whatever else comes bit by bit, and lets go of their stream. */
export interface Puller<T = Uint8Array> {
  /** Rejects with `signal.reason` as soon as the signal aborts, even while the stream is stuck. */
  next(): Promise<IteratorResult<T>>
  /** Unless it ended: destroys a native stream, or ends the iterator without waiting for one that is stuck. */
  release(): Promise<void>
}

/**
 * Aborting cannot wake a generator that awaits, and `Promise.race` with one long-lived promise keeps a reaction for
 * every chunk: hence one listener and a promise for each pull.
 */
export function puller<T = Uint8Array>(stream: AsyncIterable<T>, signal: AbortSignal): Puller<T> {
  const iterator = stream[Symbol.asyncIterator]()
  let pending: ((reason: unknown) => void) | undefined
  let done = false
  const onAbort = (): void => pending?.(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  return {
    next: () =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error)
        pending = reject
        iterator
          .next()
          .then((step) => {
            done = step.done === true
            resolve(step)
          }, reject)
          .finally(() => {
            pending = undefined
          })
      }),
    async release() {
      signal.removeEventListener('abort', onAbort)
      if (done) return
      const released = release(stream, iterator)
      if (!pending) await released
    },
  }
}

/** Lets go of a stream in whatever state: a native one is destroyed even when nobody read from it. */
export async function release(stream: AsyncIterable<unknown>, iterator?: AsyncIterator<unknown>): Promise<void> {
  try {
    if ('destroy' in stream && typeof stream.destroy === 'function') stream.destroy()
    else if (iterator) await iterator.return?.()
    else if ('cancel' in stream && typeof stream.cancel === 'function') await stream.cancel()
    else await stream[Symbol.asyncIterator]().return?.()
  } catch {
    // what is let go of may fail; nobody waits for it
  }
}

/** All bytes in one array, for small bodies. */
export async function collect(stream: ByteStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
