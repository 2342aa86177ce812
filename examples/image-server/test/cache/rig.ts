import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineStore, MullionError, type StoreMap, type StoreSpec } from 'mullion'
import { type MemoryRegistry, memoryRegistry, type Ports } from 'mullion/images'
import { onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import { type DiskCache, type DiskCacheOptions, openDiskCache } from '../../src/cache/index.ts'
import type { AppSettings } from '../../src/app.ts'
import type { ServerPorts } from '../../src/v1/context.ts'
import { md5, startServer, type TestServer } from '../v1/server.ts'

/** A store that counts, and does what a test wants. */
export interface Origin {
  readonly stores: StoreMap
  readonly objects: Map<string, Buffer>
  /** Reads so far, and those that are not released. */
  reads: number
  open: number
  /** Bytes handed out by all reads. */
  given: number
  /** What comes between the bytes: called before each piece with its offset. */
  before: (key: string, offset: number) => unknown
}

export const PIECE: number = 64 * 1024

export function origin(range = false): Origin {
  const state: Origin = { stores: {}, objects: new Map(), reads: 0, open: 0, given: 0, before: () => {} }
  const plugin = defineStore({
    name: 'origin',
    schemes: ['origin'],
    config: z.object({}),
    capabilities: { range },
    location: { parse: (uri: string) => uri.slice('origin://'.length), format: (key) => `origin://${key}` },
    open: () => ({
      read: async (key, { offset }) => ({ body: pieces(state, key, offset), size: objectOf(state, key).length }),
      stat: async (key) => ({ size: objectOf(state, key).length }),
      write: async (key: string) => ({ at: key }),
      remove: async (key) => void state.objects.delete(key),
    }),
  })
  return Object.assign(state, { stores: { origin: plugin({}) as StoreSpec<never> } })
}

function objectOf({ objects }: Origin, key: string): Buffer {
  const object = objects.get(key)
  if (object) return object
  throw new MullionError('not_found', `origin: ${key}`, { details: { location: key } })
}

async function* pieces(state: Origin, key: string, offset: number): AsyncGenerator<Uint8Array> {
  const object = objectOf(state, key)
  state.reads += 1
  state.open += 1
  try {
    for (let at = offset; at < object.length; at += PIECE) {
      await state.before(key, at)
      const piece = object.subarray(at, at + PIECE)
      state.given += piece.length
      yield piece
    }
  } finally {
    state.open -= 1
  }
}

export interface Rig {
  readonly server: TestServer
  readonly cache: DiskCache
  readonly registry: MemoryRegistry
  readonly origin: Origin
  readonly dir: string
  readonly said: string[]
  /** An active image of these bytes. */
  image(bytes: Buffer, fields?: object): Promise<string>
  files(): string[]
}

export interface RigOptions {
  readonly origin?: Origin
  readonly cache?: Partial<DiskCacheOptions>
  readonly settings?: Partial<AppSettings>
  readonly ports?: Partial<Ports & ServerPorts>
}

/** A server with a cache in a directory of its own. */
export async function rig(options: RigOptions = {}): Promise<Rig> {
  const dir = options.cache?.dir ?? temporaryDirectory()
  const from = options.origin ?? origin()
  const registry = memoryRegistry()
  const said: string[] = []
  const cache = await openDiskCache({ ...cacheOptions(dir, said), images: registry.images, ...options.cache })
  const server = await startServer({
    stores: from.stores,
    settings: { cacheManagement: true, ...options.settings },
    ports: { ...registry, cache, ...options.ports },
  })
  onTestFinished(() => cache.close())
  return {
    server,
    cache,
    registry,
    origin: from,
    dir,
    said,
    image: (bytes, fields = {}) => activeImage(server, from, bytes, fields),
    files: () => readdirSync(dir).filter((name) => /\.(image|part)$/.test(name)),
  }
}

export function cacheOptions(dir: string, said: string[] = []): Omit<DiskCacheOptions, 'images'> {
  return {
    dir,
    maxSize: 64 * 1024 * 1024,
    minFree: 0,
    verifyHits: false,
    abandonedMs: 60_000,
    maxQueued: 3,
    now: Date.now,
    log: (message) => void said.push(message),
  }
}

/** Patient: other tests may keep the machine busy. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, { interval: 10, timeout: 25_000 })
}

export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'mullion-cache-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function activeImage({ ports }: TestServer, { objects }: Origin, bytes: Buffer, fields: object): Promise<string> {
  const id = crypto.randomUUID()
  objects.set(id, bytes)
  const now = ports.now()
  await ports.images.insert({
    ...BLANK,
    id,
    size: bytes.length,
    checksum: md5(bytes),
    hashAlgorithm: 'sha512',
    hashValue: createHash('sha512').update(bytes).digest('hex'),
    locations: [{ uri: `origin://${id}`, metadata: {}, status: 'active' }],
    createdAt: now,
    updatedAt: now,
    ...fields,
  })
  return id
}

const BLANK = {
  name: 'cirros',
  status: 'active',
  writer: undefined,
  reason: undefined,
  visibility: 'private',
  owner: undefined,
  virtualSize: undefined,
  diskFormat: 'raw',
  containerFormat: 'bare',
  minDisk: 0,
  minRam: 0,
  protected: false,
  properties: new Map(),
  tags: [],
  deletedAt: undefined,
} as const
