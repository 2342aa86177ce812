import { randomUUID } from 'node:crypto'
import { type CopyFromOptions, type CopyFromResult, isMullionError } from 'mullion'
import { infoOf, type ObjectInfo, pathOf } from './api.ts'
import { brokenAnswer, failure } from './errors.ts'
import type { Caller } from './exchange.ts'
import { formatUri, type GcsLocation } from './location.ts'
import { failuresOf, retrying } from './patience.ts'
import { taken } from './session.ts'
import { assertFree, CLEANUP_MS, removeGeneration, type WriteTools } from './write.ts'

/** Custom metadata that tells a copy from what another writer may have put there. */
const MARK = 'mullion-copy'

/**
 * The service copies by itself, in as many calls as it wants: https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite.
 * Undefined when these credentials may not read the source.
 */
export async function copy(
  tools: WriteTools,
  from: GcsLocation,
  to: GcsLocation,
  options: CopyFromOptions<GcsLocation>,
): Promise<CopyFromResult<GcsLocation> | undefined> {
  const { patience, api } = tools
  const source = await retrying(patience, options, () => api.info(from, options)).catch((error: unknown) => {
    if (isMullionError(error, 'permission_denied') || isMullionError(error, 'unauthenticated')) return undefined
    throw error
  })
  if (!source) return undefined
  if (options.etag !== undefined && source.generation !== options.etag) throw changed(from)
  await retrying(patience, options, () => assertFree(api, to, options))
  await options.announce(to)
  const outcome: Outcome = { mark: randomUUID(), made: undefined, isOpen: false }
  try {
    const made = await rewrite(tools, { ...from, generation: source.generation }, to, options, outcome)
    outcome.made = made
    assertCopy(made, source)
    return { at: { ...to, generation: made.generation }, size: made.size }
  } catch (error) {
    await takeBack(tools, to, outcome)
    throw error
  }
}

interface Outcome {
  readonly mark: string
  made: ObjectInfo | undefined
  /** A request was sent whose answer was never seen: the service may still do what it asks for. */
  isOpen: boolean
}

/** Goes on with the same token after a failure: what was copied so far stays copied. */
async function rewrite(
  { api, patience }: WriteTools,
  from: GcsLocation,
  to: GcsLocation,
  options: CopyFromOptions<GcsLocation>,
  outcome: Outcome,
): Promise<ObjectInfo> {
  const { signal, alive, metadata } = options
  const path = `${pathOf(from)}/rewriteTo${pathOf(to).replace('/storage/v1', '')}`
  const body = { contentType: 'application/octet-stream', metadata: { ...metadata, [MARK]: outcome.mark } }
  const failures = failuresOf(patience, options)
  let rewriteToken: string | undefined
  for (;;) {
    signal.throwIfAborted() // nothing was sent then
    const query = {
      sourceGeneration: from.generation,
      ifSourceGenerationMatch: from.generation,
      ifGenerationMatch: '0',
      rewriteToken,
    }
    try {
      const answer = await api.call({ method: 'POST', path, query, body, at: from, signal, alive }, [412])
      if (answer.status === 412) {
        answer.stream.resume()
        return await ownCopy({ api }, from, to, outcome.mark, options)
      }
      const { done, resource, rewriteToken: token } = await api.json(answer, signal)
      if (done === true) return infoOf((resource ?? {}) as Readonly<Record<string, unknown>>)
      if (typeof token !== 'string') throw brokenAnswer('the service did not say how to go on with the copy')
      rewriteToken = token
      failures.reset()
    } catch (error) {
      if (signal.aborted || !isRefusal(error)) outcome.isOpen = true
      await failures.count(error)
    }
  }
}

/** A condition failed: the answer to an earlier try may have been lost, or the place is taken, or the source changed. */
async function ownCopy(
  { api }: Pick<WriteTools, 'api'>,
  from: GcsLocation,
  to: GcsLocation,
  mark: string,
  caller: Caller,
): Promise<ObjectInfo> {
  const found = await api.info(to, caller).catch((error: unknown) => {
    throw isMullionError(error, 'not_found') ? changed(from) : error
  })
  if (found.metadata[MARK] !== mark) throw taken(to)
  return found
}

/** Whether the service said that it did nothing. */
function isRefusal(error: unknown): boolean {
  return isMullionError(error) && !['unavailable', 'timeout', 'closed'].includes(error.code)
}

/** How often, and how long apart, a copy is looked for that nobody saw the end of. */
const LOOKS = 7
const LOOK_PAUSE_MS = 500

async function takeBack(tools: WriteTools, to: GcsLocation, outcome: Outcome): Promise<void> {
  const signal = AbortSignal.timeout(CLEANUP_MS)
  try {
    const made = outcome.made ?? (outcome.isOpen ? await lateCopy(tools, to, outcome.mark, signal) : undefined)
    if (made) await removeGeneration(tools, { ...to, generation: made.generation }, signal)
  } catch {
    tools.log('the outcome of a failed copy is unknown: its object may still appear', { location: formatUri(to) })
  }
}

/** Waits for what may appear. Undefined when another object has the place; rejects when there is none to the end. */
async function lateCopy(
  { api, patience }: WriteTools,
  to: GcsLocation,
  mark: string,
  signal: AbortSignal,
): Promise<ObjectInfo | undefined> {
  for (let look = 1; ; look++) {
    try {
      const found = await api.info(to, { signal })
      return found.metadata[MARK] === mark ? found : undefined
    } catch (error) {
      if (look === LOOKS) throw error
      await patience.pause(LOOK_PAUSE_MS, signal)
    }
  }
}

function assertCopy(made: ObjectInfo, source: ObjectInfo): void {
  const [expected, actual] = [source.crc32c ?? 'none', made.crc32c ?? 'none']
  if (made.size !== source.size) {
    const details = { expected: source.size, actual: made.size }
    throw failure('size_mismatch', `the copy has ${made.size} bytes, its source ${source.size}`, details)
  }
  if (expected === actual) return
  throw failure('hash_mismatch', `the copy has crc32c ${actual}, its source ${expected}`, {
    algorithm: 'crc32c',
    expected,
    actual,
  })
}

function changed(from: GcsLocation): ReturnType<typeof failure<'conflict'>> {
  const { generation: _, ...at } = from
  return failure('conflict', 'the object changed before it was copied', { expected: formatUri(at) })
}
