import { puller, type Watchdog } from './bytes.ts'
import { MullionError } from './errors.ts'
import { type Hashes, type HashName, startDigests } from './hash.ts'
import { type OnProgress, reporter } from './progress.ts'
import type { ByteStream } from './store.ts'

/** How long a store may take from the last byte until the object is durable: a slow disk flushes its cache here. */
const COMMIT_TIMEOUT_MS = 600_000

export interface IntakeRules {
  /** Names the upload in messages. */
  readonly label: string
  readonly size: number | undefined
  readonly limit: number
  readonly hashes: readonly HashName[]
  readonly expect: Hashes
  readonly onProgress: OnProgress | undefined
}

/** The stream a store consumes in one attempt of an upload, and what became of it. */
export interface Intake {
  /** Ends only when size and digests were met; throws instead of ending otherwise. */
  readonly body: ByteStream
  /** What the body threw, whatever the store made of it, and whether the source did. */
  failure(): { readonly error: unknown; readonly bySource: boolean } | undefined
  /**
   * Pulls what a store left that stopped reading at the size it was told, and verifies. Rejects as the body would.
   * Resolves with what was counted and hashed.
   */
  finish(): Promise<{ readonly size: number; readonly hashes: Hashes }>
  /** Lets go of the source. */
  release(): Promise<void>
}

/** Counts, limits, hashes and verifies in one pass, without copying. `idle` watches source and store by turns. */
export function intake(source: ByteStream, rules: IntakeRules, signal: AbortSignal, idle: Watchdog): Intake {
  const digests = startDigests(rules.hashes)
  const report = reporter(rules.onProgress, rules.size)
  const pull = puller(source, signal)
  let count = 0
  let hashes: Hashes | undefined
  let failed: { readonly error: unknown; readonly bySource: boolean } | undefined

  async function pulled(): Promise<IteratorResult<Uint8Array>> {
    try {
      idle.wait('source')
      return await pull.next()
    } catch (error) {
      failed = { error, bySource: true }
      throw error
    }
  }

  async function next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (failed) throw failed.error
    if (hashes) return { done: true, value: undefined }
    try {
      for (;;) {
        const step = await pulled()
        if (step.done) {
          hashes = verified(rules, count, digests.digest())
          idle.wait('store', COMMIT_TIMEOUT_MS)
          report.end(count)
          return { done: true, value: undefined }
        }
        const length = taken(step.value, rules, count)
        if (length === 0) continue
        count += length
        digests.update(step.value)
        report.tick(count)
        idle.wait('store')
        return { done: false, value: step.value }
      }
    } catch (error) {
      failed ??= { error, bySource: false }
      throw error
    }
  }

  const stream: AsyncIterableIterator<Uint8Array> = {
    next,
    return: async () => ({ done: true, value: undefined }),
    [Symbol.asyncIterator]: () => stream,
  }
  return {
    body: stream,
    failure: () => failed,
    async finish() {
      // a store that was told the size may stop there without asking for the end
      if (!(await next()).done) throw stoppedEarly(rules, count)
      return { size: count, hashes: hashes ?? {} }
    },
    release: () => pull.release(),
  }
}

/** The chunk's length, if it may be taken. */
function taken(chunk: unknown, { label, size, limit }: IntakeRules, count: number): number {
  if (!(chunk instanceof Uint8Array)) {
    throw new MullionError('invalid_argument', `${label}: the source yielded ${typeof chunk}, expected bytes`, {
      details: { name: 'source' },
    })
  }
  const total = count + chunk.byteLength
  if (total > limit) {
    throw new MullionError('too_large', `${label}: larger than ${limit} bytes`, { details: { limit } })
  }
  if (size !== undefined && total > size) throw wrongSize(label, size, total)
  return chunk.byteLength
}

function verified({ label, size, expect }: IntakeRules, count: number, actual: Hashes): Hashes {
  if (size !== undefined && count !== size) throw wrongSize(label, size, count)
  for (const [algorithm, expected] of Object.entries(expect)) {
    const value = actual[algorithm] ?? ''
    if (value === expected) continue
    throw new MullionError('hash_mismatch', `${label}: expected ${algorithm} ${expected}, got ${value}`, {
      details: { algorithm, expected, actual: value },
    })
  }
  return actual
}

function wrongSize(label: string, expected: number, actual: number): MullionError<'size_mismatch'> {
  return new MullionError('size_mismatch', `${label}: expected ${expected} bytes, got ${actual}`, {
    details: { expected, actual },
  })
}

function stoppedEarly({ label }: IntakeRules, count: number): MullionError<'internal'> {
  return new MullionError('internal', `${label}: the store stopped reading before the end, after ${count} bytes`, {
    details: {},
  })
}
