import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type AnyStore, type ByteStream, collect, memory, type Layer } from 'mullion'
import type { Harness } from 'mullion/testkit'
import { broken, type BrokenStore, each, generate } from './broken-store.ts'

/** Reading, deleting, locating and closing. */
export const brokenReads: readonly BrokenStore[] = [
  broken('lies about the size', /strictly equal/, 'reads an object byte for byte and knows its size', (next) => ({
    stat: async (at, options) => ({ size: ((await next.stat(at, options)).size ?? 0) + 1 }),
  })),
  broken(
    'takes the length of a range for its end',
    /^offset 1, length 2 of 1000 bytes/,
    'reads any range within an object',
    (next) => ({
      read(at, { offset, length, signal }) {
        return next.read(at, {
          offset,
          length: length === undefined ? undefined : Math.max(1, length - offset),
          signal,
        })
      },
    }),
  ),
  broken('starts again from the first byte', /^byte 100000 is/, 'goes on where a read broke', (next) => ({
    read: (at, options) => next.read(at, { ...options, offset: 0 }),
  })),
  broken(
    'fails for a range past the end',
    /^offset 1, length undefined of 0 bytes/,
    'answers an empty body for a range past the end',
    (next) => ({
      async read(at, options) {
        const { size = 0 } = await next.stat(at, options)
        if (options.offset > 0 && options.offset >= size) throw new Error('416 Range Not Satisfiable')
        return next.read(at, options)
      },
    }),
  ),
  leakingHandles(),
  broken(
    'reads the whole object ahead',
    /bytes were read ahead/,
    'does not read ahead without bound for a slow reader',
    (next) => ({
      async read(at, options) {
        const { body, size } = await next.read(at, options)
        const bytes = await collect(body)
        return { body: each(generate(bytes), (chunk) => chunk), size }
      },
    }),
  ),
  broken('uses one buffer for all chunks', /^byte 0 is/, 'hands out chunks that it never touches again', (next) => ({
    async read(at, options) {
      const { body, size } = await next.read(at, options)
      const buffer = new Uint8Array(64 * 1024)
      return { body: each(body, (chunk) => (buffer.set(chunk), buffer.subarray(0, chunk.byteLength))), size }
    },
  })),
  broken(
    'ends a body early when the object goes',
    /ended early/,
    'never gives wrong bytes to a reader whose object is deleted meanwhile',
    (next) => ({
      async read(at, options) {
        const { body } = await next.read(at, options)
        return { body: whileThere(next, at, body), size: undefined }
      },
    }),
  ),
  broken(
    'does not delete',
    /^get was expected to fail/,
    'answers not_found to get, size and delete once an object is deleted',
    () => ({
      remove: async () => {},
    }),
  ),
  broken('deletes by prefix', /nothing at/, 'leaves other objects alone when one is deleted', (next) => ({
    async remove(at, options) {
      await next.remove?.(at, options)
      await next.remove?.(`${at}.kept`, options).catch(() => {})
    },
  })),
  broken(
    'hangs when it closes',
    /^closing did not settle/,
    'closes twice, and answers closed to everything after',
    () => ({
      close: () => new Promise(() => {}),
    }),
  ),
  unfaithfulCodec(),
]

/** Opens a file for each read, and closes it only in a generator that may never start. */
function leakingHandles(): BrokenStore {
  const layer: Layer = (next) => ({
    async read(at, options) {
      const { body, size } = await next.read(at, options)
      const handle = openSync(fileURLToPath(import.meta.url), 'r')
      return { body: closing(body, handle), size }
    },
  })
  return broken('leaks a handle per unread body', /more handles are open/, 'releases a body that nobody reads', layer)
}

function unfaithfulCodec(): BrokenStore {
  const name = 'formats another URI each time'
  let version = 0
  const open: Harness['open'] = () => {
    const spec = memory()
    const { location } = spec
    const parse = (uri: string): unknown => location.parse(uri.replace(/\?.*/, ''))
    const format = (at: unknown): string => `${location.format(at)}?v=${(version += 1)}`
    return { ...spec, location: { parse, format } }
  }
  const caughtBy = 'finds an object again by the text of its location alone'
  return { name, caughtBy, because: /strictly equal/, harness: () => ({ name, open }) }
}

async function* whileThere(next: AnyStore, at: unknown, body: ByteStream): AsyncGenerator<Uint8Array> {
  const { signal } = new AbortController()
  for await (const chunk of body) {
    yield chunk
    const there = await next.stat(at, { signal }).catch(() => undefined)
    if (!there) return
  }
}

async function* closing(body: ByteStream, handle: number): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } finally {
    closeSync(handle)
  }
}
