import { collect } from 'mullion'
import { broken, type BrokenStore, generate, written } from './broken-store.ts'

export const brokenCopies: readonly BrokenStore[] = [
  broken(
    'copies all but the last byte and says otherwise',
    /^size of the answer/,
    'copies objects of any size under another key by itself',
    (next) => ({
      async copyFrom(key, { at }, options) {
        const { body, size = 0 } = await next.read(at, { ...options, offset: 0, length: undefined })
        const bytes = await collect(body)
        return { ...(await written(next, key, generate(bytes.subarray(0, -1)), options)), size }
      },
    }),
  ),
  broken(
    'moves instead of copying',
    /^expected the origin|nothing at/,
    'copies objects of any size under another key by itself',
    (next) => ({
      async copyFrom(key, origin, options) {
        const copied = await next.copyFrom?.(key, origin, options)
        await next.remove?.(origin.at, options)
        return copied
      },
    }),
  ),
  broken(
    'makes references instead of copies',
    /nothing at/,
    'keeps a copy whole when its origin is deleted, and the other way round',
    (next) => {
      const references = new Map<unknown, unknown>()
      const resolved = (at: unknown): unknown => references.get(at) ?? at
      return {
        read: (at, options) => next.read(resolved(at), options),
        stat: (at, options) => next.stat(resolved(at), options),
        async copyFrom(key, { at }, options) {
          references.set(key, resolved(at))
          return { at: key, size: (await next.stat(resolved(at), options)).size ?? 0 }
        },
      }
    },
  ),
  broken('copies over what is there', /the write was expected to fail/, 'refuses to copy over an object', (next) => ({
    async copyFrom(key, origin, options) {
      await next.remove?.(key, options).catch(() => {})
      return next.copyFrom?.(key, origin, options)
    },
  })),
]
