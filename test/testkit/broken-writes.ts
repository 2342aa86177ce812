import { type AnyStore, type ByteStream, collect, memory, type Layer } from 'mullion'
import { layered } from 'mullion/layers'
import { broken, type BrokenStore, each, generate, written } from './broken-store.ts'

export const brokenWrites: readonly BrokenStore[] = [
  broken('drops the last byte', /^size of the answer/, 'stores and returns one byte', (next) => ({
    write: async (key, body, options) => written(next, key, generate((await collect(body)).subarray(0, -1)), options),
  })),
  broken(
    'drops a byte at the end of each chunk',
    /^size of the answer/,
    'stores single bytes, each in a chunk of its own',
    (next) => ({
      write: (key, body, options) =>
        written(
          next,
          key,
          each(body, (chunk) => chunk.subarray(0, Math.max(chunk.length - 1, 0))),
          options,
        ),
    }),
  ),
  broken(
    'keeps chunks of other writes',
    /^(size of the answer|byte \d+ is)/,
    'keeps objects apart that are written at the same time',
    (next) => {
      let shared: Uint8Array[] = []
      return {
        async write(key, body, options) {
          shared = []
          for await (const chunk of body) shared.push(chunk)
          return written(next, key, generate(Buffer.concat(shared)), options)
        },
      }
    },
  ),
  broken(
    'overwrites',
    /^the second write was expected to fail/,
    'refuses a key that is taken and leaves what is there untouched',
    (next) => ({
      async write(key, body, options) {
        await next.remove?.(key, options).catch(() => {})
        return written(next, key, body, options)
      },
    }),
  ),
  broken(
    'lets both of two writers win',
    /^2 of two writes/,
    'lets exactly one of two writes of a key win, with its bytes whole',
    (next) => {
      const bytesOf = new Map<string, Uint8Array>()
      return {
        async write(key, body, options) {
          const bytes = await collect(body)
          const first = !bytesOf.has(key)
          bytesOf.set(key, bytes)
          if (first) await written(next, key, generate(bytes), options)
          return { at: key }
        },
      }
    },
  ),
  broken(
    'swallows the error of a body',
    /stopped reading before the end/,
    'hides a transient failure when the source can be replayed',
    (next) => ({
      write: (key, body, options) => written(next, key, swallowing(body), options),
    }),
  ),
  broken(
    'swallows the error of a body, seen under transient failures',
    /^size of the answer/,
    'stores and returns 64 KiB',
    swallows,
    true,
  ),
  broken(
    'shows what is not complete',
    /^a read during a write was expected to fail/,
    'shows nothing of an object before it is complete',
    (next) => {
      const partial = new Set<string>()
      return {
        async stat(at, options) {
          return partial.has(at) ? { size: 1 } : next.stat(at, options)
        },
        read: async (at, options) =>
          partial.has(at) ? { body: generate(Buffer.of(1)), size: 1 } : next.read(at, options),
        async write(key, body, options) {
          partial.add(key)
          try {
            return await written(next, key, body, options)
          } finally {
            partial.delete(key)
          }
        },
      }
    },
  ),
  broken(
    'announces too late',
    /^expected not_found/,
    'announces the place before anything is visible there',
    (next) => ({
      async write(key, body, options) {
        const result = await written(next, key, body, { ...options, announce: async () => {} })
        await options.announce(key)
        return result
      },
    }),
  ),
  broken('announces another place', /strictly equal/, 'announces the place where the object then is', (next) => ({
    async write(key, body, options) {
      const result = await written(next, key, body, options)
      return { at: result.at === key ? `${key}.moved` : key }
    },
  })),
  leavingPartials(),
  broken(
    'hangs when a body fails',
    /^the failing write did not settle/,
    'leaves nothing when aborted in the middle',
    (next) => ({
      write: (key, body, options) => written(next, key, body, options).catch(() => new Promise<never>(() => {})),
    }),
  ),
  broken(
    'takes a source that is too short for whole',
    /^the key of a failed write cannot be used again/,
    'rejects with the error of a source that fails after 0 bytes, and leaves nothing',
    (next) => ({
      async write(key, body, options) {
        await written(next, key, generate(Buffer.of()), options) // visible at once, filled never
        await collect(body)
        return { at: key }
      },
    }),
  ),
]

/** Partial uploads that are never cleaned up: invisible through the store, so the harness lists them. */
function leavingPartials(): BrokenStore {
  const partials: string[] = []
  const layer: Layer = (next) => ({
    write: (key, body, options) =>
      written(next, key, body, options).catch((error: unknown) => {
        partials.push(`${key}.part`)
        throw error
      }),
  })
  const name = 'leaves partial uploads'
  const caughtBy = 'rejects with the error of a source that fails after 70000 bytes, and leaves nothing'
  const because = /left something/
  return {
    name,
    caughtBy,
    because,
    harness: () => ({ name, open: () => layered(memory(), layer), leftovers: () => partials }),
  }
}

function swallows(next: AnyStore): Partial<AnyStore> {
  return { write: (key, body, options) => written(next, key, swallowing(body), options) }
}

async function* swallowing(body: ByteStream): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch {
    // as if it had ended
  }
}
