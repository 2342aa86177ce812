import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MullionError } from './errors.ts'
import { defineStore, type StoreSpec } from './plugin.ts'
import type {
  ByteStream,
  CallOptions,
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
  remove(at: At, options: CallOptions): Promise<void>
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
  },
  capabilities: { range: true, atomicWrite: true, exclusiveWrite: true },
  open: ({ capacity }) => openMemory(capacity),
})

function openMemory(capacity: number): MemoryStore {
  const objects = new Map<At, Uint8Array>()
  const busy = new Set<At>()
  let used = 0

  function find(at: At): Uint8Array {
    const bytes = objects.get(at)
    if (bytes) return bytes
    throw new MullionError('not_found', `memory store: nothing at ${at}`, { details: { location: `memory://${at}` } })
  }

  return {
    async read(at, { offset, length = Number.POSITIVE_INFINITY }) {
      const bytes = find(at)
      return { body: slices(bytes.subarray(offset, offset + length)), size: bytes.byteLength }
    },
    stat: async (at) => ({ size: find(at).byteLength }),
    async write(key, body, { announce }) {
      if (objects.has(key) || busy.has(key)) {
        throw new MullionError('already_exists', `memory store: ${key} exists`, { details: { key } })
      }
      busy.add(key)
      let taken = 0
      try {
        await announce(key)
        const chunks: Uint8Array[] = []
        for await (const chunk of body) {
          taken += chunk.byteLength
          used += chunk.byteLength
          if (used > capacity)
            throw new MullionError('storage_full', `memory store: over ${capacity} bytes`, { details: {} })
          chunks.push(chunk)
        }
        objects.set(key, Buffer.concat(chunks))
        taken = 0
        return { at: key }
      } finally {
        used -= taken
        busy.delete(key)
      }
    },
    async remove(at) {
      used -= find(at).byteLength
      objects.delete(at)
    },
  }
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
