import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MullionError } from './errors.ts'
import { defineStore, type StoreSpec } from './plugin.ts'
import type {
  ByteStream,
  CallOptions,
  CopyFromOptions,
  CopyFromResult,
  Listed,
  ListOptions,
  Origin,
  ReadOptions,
  ReadResult,
  StatResult,
  WriteOptions,
  WriteResult,
} from './store.ts'

export interface MemoryConfig {
  /** Bytes all objects together may have. Default: no limit. */
  readonly capacity?: number
}

/** A key. */
type At = string

export interface MemoryStore {
  read(at: At, options: ReadOptions): Promise<ReadResult>
  stat(at: At, options: CallOptions): Promise<StatResult>
  write(key: string, body: ByteStream, options: WriteOptions<At>): Promise<WriteResult<At>>
  copyFrom(key: string, origin: Origin, options: CopyFromOptions<At>): Promise<CopyFromResult<At> | undefined>
  remove(at: At, options: CallOptions): Promise<void>
  list(options: ListOptions): AsyncIterable<Listed<At>>
}

/** Objects in the memory of this process: for tests, and the smallest store there is. Locations: `memory://KEY`. */
export const memory: (config?: MemoryConfig) => StoreSpec<MemoryStore> = (config = {}) => plugin(config)

const plugin = defineStore({
  name: 'memory',
  schemes: ['memory'],
  config: memoryConfig(),
  location: {
    parse: (uri) => {
      const key = /^memory:\/\/([A-Za-z0-9_-][A-Za-z0-9._-]*)$/.exec(uri)?.[1]
      if (key === undefined) throw new Error('expected memory://KEY')
      return key
    },
    format: (key: At) => `memory://${key}`,
    key: (key: At) => key,
  },
  capabilities: { range: true, atomicWrite: true, exclusiveWrite: true },
  open: ({ capacity }, { now }) => openMemory(capacity, now),
})

/** What the stores hold, so that one can copy from another. */
const contents = new WeakMap<object, (at: At) => Uint8Array>()

interface Shelf {
  find(at: At): Uint8Array
  list(): AsyncIterable<Listed<At>>
  /** Takes the key while `bytesOf` runs, answers the size; what `bytesOf` takes of the capacity in vain is given back. */
  make(
    key: string,
    options: Pick<WriteOptions<At>, 'announce'>,
    bytesOf: (take: (size: number) => void) => Promise<Uint8Array>,
  ): Promise<number>
  remove(at: At): void
}

interface Entry {
  readonly bytes: Uint8Array
  readonly modifiedAt: Date
}

function makeShelf(capacity: number, now: () => number): Shelf {
  const objects = new Map<At, Entry>()
  const busy = new Set<At>()
  let used = 0

  function find(at: At): Uint8Array {
    const found = objects.get(at)
    if (found) return found.bytes
    throw new MullionError('not_found', `memory store: nothing at ${at}`, { details: { location: `memory://${at}` } })
  }

  async function make(...[key, { announce }, bytesOf]: Parameters<Shelf['make']>): Promise<number> {
    if (objects.has(key) || busy.has(key)) {
      throw new MullionError('already_exists', `memory store: ${key} exists`, { details: { key } })
    }
    busy.add(key)
    let taken = 0
    try {
      await announce(key)
      const bytes = await bytesOf((size) => {
        taken += size
        used += size
        if (used <= capacity) return
        throw new MullionError('storage_full', `memory store: over ${capacity} bytes`, { details: {} })
      })
      objects.set(key, { bytes, modifiedAt: new Date(now()) })
      taken = 0
      return bytes.byteLength
    } finally {
      used -= taken
      busy.delete(key)
    }
  }

  async function* list(): AsyncGenerator<Listed<At>> {
    for (const [at, { bytes, modifiedAt }] of objects) yield { kind: 'object', at, size: bytes.byteLength, modifiedAt }
  }

  return {
    find,
    list,
    make,
    remove(at) {
      used -= find(at).byteLength
      objects.delete(at)
    },
  }
}

function openMemory(capacity: number, now: () => number): MemoryStore {
  const { find, list, make, remove } = makeShelf(capacity, now)
  const store: MemoryStore = {
    async read(at, { offset, length = Number.POSITIVE_INFINITY }) {
      const bytes = find(at)
      return { body: slices(bytes.subarray(offset, offset + length)), size: bytes.byteLength }
    },
    stat: async (at) => ({ size: find(at).byteLength }),
    async write(key, body, options) {
      await make(key, options, async (take) => {
        const chunks: Uint8Array[] = []
        for await (const chunk of body) {
          take(chunk.byteLength)
          chunks.push(chunk)
        }
        return Buffer.concat(chunks)
      })
      return { at: key }
    },
    async copyFrom(key, origin, options) {
      const bytes = contents.get(origin.store)?.(origin.at as At)
      if (!bytes) return undefined
      const size = await make(key, options, async (take) => {
        take(bytes.byteLength)
        return bytes // shared: nobody ever changes them
      })
      return { at: key, size }
    },
    remove: async (at) => remove(at),
    list,
  }
  contents.set(store, find)
  return store
}

const SLICE = 64 * 1024

/** Copies, since a chunk belongs to whoever receives it. Nothing is held before or after: a generator will do. */
async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += SLICE)
    yield new Uint8Array(bytes.subarray(start, start + SLICE))
}

/** A Standard Schema by hand, since the core has no dependency that could make one. */
function memoryConfig(): StandardSchemaV1<MemoryConfig, { readonly capacity: number }> {
  return {
    '~standard': {
      version: 1,
      vendor: 'mullion',
      validate(value) {
        const { capacity = Number.POSITIVE_INFINITY } = value as MemoryConfig
        if (typeof capacity === 'number' && capacity >= 0) return { value: { capacity } }
        return { issues: [{ message: `expected bytes, got ${String(capacity)}`, path: ['capacity'] }] }
      },
    },
  }
}
