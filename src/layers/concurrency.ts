import { MullionError } from '../errors.ts'
import type { Layer } from '../plugin.ts'
import { slots } from '../slots.ts'
import { around } from './around.ts'
import { stepwise } from './stepwise.ts'

/**
 * At most `limit` calls of a store at once; others wait in the order they came. A read counts until its body ends, so
 * copying within one store takes two places; a listing counts only while an entry is waited for. Applied to several
 * stores, each has its own limit.
 */
export function concurrency(limit: number): Layer {
  if (!Number.isInteger(limit) || limit < 1) {
    const message = `concurrency: limit must be a positive integer, got ${limit}`
    throw new MullionError('invalid_argument', message, { details: { name: 'limit' } })
  }
  return (next, about) => {
    const places = slots(limit)
    const list = next.list?.bind(next)
    const inPlace = async <T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> => {
      const leave = await places.take(signal)
      try {
        return await call()
      } finally {
        leave()
      }
    }
    return {
      ...around(({ signal }, call) => inPlace(signal, call))(next, about),
      ...(list && {
        list: (options) => stepwise(list(options), options.signal, (entry) => inPlace(options.signal, entry)),
      }),
    }
  }
}
