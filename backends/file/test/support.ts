import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ByteStream, ReadOptions, StoreEnv, WriteOptions } from 'mullion'
import { onTestFinished } from 'vitest'
import { configSchema, type FileConfig } from '../src/config.ts'
import type { Disk } from '../src/disk.ts'
import { type FileStore, openFileStore } from '../src/store.ts'

export interface LogLine {
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Removed when the test ends. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mullion-file-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

export function environment(now: () => number = Date.now): { readonly env: StoreEnv; readonly log: LogLine[] } {
  const log: LogLine[] = []
  return { log, env: { id: 'images', now, log: (message, fields = {}) => void log.push({ message, fields }) } }
}

export async function openStore(
  config: FileConfig,
  disk?: Disk,
  env: StoreEnv = environment().env,
): Promise<FileStore> {
  return openFileStore(configSchema.parse(config), env, disk)
}

export function writing(options: Partial<WriteOptions<string>> = {}): WriteOptions<string> {
  const { signal } = new AbortController()
  return { size: undefined, metadata: {}, signal, announce: async () => {}, alive() {}, ...options }
}

export const reading: ReadOptions = { offset: 0, length: undefined, signal: new AbortController().signal }

export async function* streamOf(...chunks: readonly (Uint8Array | string)[]): ByteStream {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

export async function* inChunksOf(bytes: Uint8Array, length: number): ByteStream {
  for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length)
}

/** The same bytes for the same seed, none of them zero. */
export function seededBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[index] = 1 + (state >>> 24) * (254 / 255)
  }
  return bytes
}

export async function bytesAt(store: FileStore, at: string): Promise<Buffer> {
  const { body } = await store.read(at, reading)
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Names below the directory, hidden ones included, sorted. */
export async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).toSorted()
}

/** How many descriptors of this process are open below the directory. */
export async function openFiles(directory: string): Promise<number> {
  const targets = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  )
  return targets.filter((target) => target.startsWith(directory)).length
}

/** A promise with its resolve function outside. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: () => resolve() }
}

/** An error as the operating system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code })
}
