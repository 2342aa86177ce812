import type { AddOptions, AddResult, TransferLimits } from './add-options.ts'
import { assertKey, bytes, invalid, texts } from './arguments.ts'
import { attempt } from './attempt.ts'
import { inContext, isMullionError, MullionError } from './errors.ts'
import { assertHashes, DEFAULT_HASHES } from './hash/digests.ts'
import type { IntakeRules } from './intake.ts'
import type { OpenedStore } from './opened.ts'
import { isTheirs } from './place.ts'
import { retrying } from './retry.ts'
import type { OpenSource } from './source.ts'

/** One upload. Errors of the caller's own source and callbacks reach it as they are. Releases the source if it opens it. */
export async function add(
  opened: OpenedStore,
  key: string,
  source: OpenSource,
  options: AddOptions & { readonly signal: AbortSignal },
  limits: TransferLimits,
): Promise<AddResult> {
  const foreign = new WeakSet<object>()
  let attempts = 0
  try {
    const upload = { opened, key, source, rules: rulesOf(opened, key, source, options), options, limits, foreign }
    const give = await opened.slots.take(options.signal)
    try {
      return await retrying(
        limits.retry,
        options.signal,
        () => source.replayable,
        (number) => {
          attempts = number
          return attempt(upload)
        },
      )
    } finally {
      give()
    }
  } catch (error) {
    if (isTheirs({ foreign, options }, error) || !isMullionError(error)) throw error
    throw inContext(error, { operation: 'add', store: opened.id, imageId: key, attempt: attempts }, false)
  }
}

/** Everything that can be refused before the first byte is read. */
function rulesOf(opened: OpenedStore, key: string, source: OpenSource, options: AddOptions): IntakeRules {
  const label = `${opened.id}: add ${key}`
  assertKey(key)
  const size = bytes('size', options.size) ?? source.size
  const limit = Math.min(bytes('limit', options.limit) ?? Number.POSITIVE_INFINITY, opened.spec.capabilities.maxSize)
  if (size !== undefined && source.size !== undefined && source.size !== size) {
    throw new MullionError('size_mismatch', `${label}: expected ${size} bytes, the source has ${source.size}`, {
      details: { expected: size, actual: source.size },
    })
  }
  if (size !== undefined && size > limit) {
    throw new MullionError('too_large', `${label}: ${size} bytes, at most ${limit} allowed`, { details: { limit } })
  }
  if (size === undefined && opened.spec.capabilities.needsSize) {
    throw invalid('size', `${opened.id}: ${opened.spec.plugin} store: needs the size before the first byte`)
  }
  texts(label, options.metadata ?? {})
  const expect = options.expect ?? {}
  const hashes = [...(options.hashes ?? DEFAULT_HASHES), ...Object.keys(expect)]
  assertHashes(hashes)
  const { onProgress, sourceIdleTimeoutMs: sourceIdleMs } = options
  return { label, size, limit, hashes, expect, onProgress, sourceIdleMs }
}
