import { type AnyStore, type ByteStream, type Layer, memory } from 'mullion'
import { layered } from 'mullion/layers'
import type { Harness } from 'mullion/testkit'

/** A memory store with one fault, and the case that must notice it. */
export interface BrokenStore {
  readonly name: string
  readonly caughtBy: string
  /** How that case complains. */
  readonly because: RegExp
  /** Noticed only while reads and writes fail for a moment. */
  readonly transient?: true
  readonly harness: () => Harness
}

export function broken(name: string, because: RegExp, caughtBy: string, layer: Layer, transient?: true): BrokenStore {
  const harness = (): Harness => ({ name, open: () => layered(memory(), layer), patienceMs: 500 })
  return { name, caughtBy, because, harness, ...(transient && { transient }) }
}

type Write = NonNullable<AnyStore['write']>

/** Writes through to the memory store. */
export function written(next: AnyStore, ...call: Parameters<Write>): ReturnType<Write> {
  if (!next.write) throw new Error('memory writes')
  return next.write(...call)
}

export async function* generate(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

export async function* each(body: ByteStream, change: (chunk: Uint8Array) => Uint8Array): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) yield change(chunk)
}
