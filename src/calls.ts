import { orAborted } from './abort.ts'
import { inContext, isMullionError } from './errors.ts'
import type { Lifetime } from './lifetime.ts'
import type { LocationLike } from './location.ts'
import type { Found } from './locator.ts'
import { type OpenedStore, translated } from './opened.ts'
import { type RetryPolicy, retrying } from './retry.ts'
import type { CallOptions } from './store.ts'

export interface Asked {
  readonly operation: string
  readonly location: LocationLike
  readonly signal: AbortSignal | undefined
  /** Of a call that may be repeated. Default: none. */
  readonly retry?: RetryPolicy
}

export interface Calls {
  /** A call that is over when its promise settles. */
  run<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** A short call to the store that holds a location, in a place of its own. */
  ask<T>(asked: Asked, work: (opened: OpenedStore, at: unknown, options: CallOptions) => Promise<T>): Promise<T>
}

export function calls(begin: Lifetime['begin'], find: (location: LocationLike) => Found): Calls {
  async function run<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { scope, end } = begin(signal)
    try {
      return await work(scope.signal)
    } finally {
      end()
    }
  }

  return {
    run,
    ask: ({ operation, location, signal: given, retry }, work) =>
      run(given, async (signal) => {
        const { opened, at, shown } = find(location)
        const give = await opened.slots.take(signal)
        const context = { operation, location: shown }
        const once = async (attempt: number): Promise<Awaited<ReturnType<typeof work>>> => {
          try {
            return await orAborted(work(opened, at, { signal }), signal, () => {})
          } catch (error) {
            if (signal.aborted) throw signal.reason
            throw translated(opened, error, { ...context, attempt })
          }
        }
        try {
          return await (retry ? retrying(retry, signal, () => true, once) : once(1))
        } catch (error) {
          throw retry && isMullionError(error) && error !== signal.reason ? inContext(error, {}, false) : error
        } finally {
          give()
        }
      }),
  }
}
