import { randomUUID } from 'node:crypto'
import { type CopyFromOptions, type CopyFromResult, isMullionError } from 'mullion'
import { infoOf, type ObjectInfo, pathOf } from './api.ts'
import { brokenAnswer, failure } from './errors.ts'
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
  const { signal, etag } = options
  const source = await retrying(patience, signal, () => api.info(from, signal)).catch((error: unknown) => {
    if (isMullionError(error, 'permission_denied')) return undefined
    throw error
  })
  if (!source) return undefined
  if (etag !== undefined && source.generation !== etag) throw changed(from)
  await retrying(patience, signal, () => assertFree(api, to, signal))
  await options.announce(to)
  const mark = randomUUID()
  try {
    const made = await rewrite(tools, { ...from, generation: source.generation }, to, { ...options, mark })
    assertCopy(made, source)
    return { at: { ...to, generation: made.generation }, size: made.size }
  } catch (error) {
    await takeBack(tools, to, mark)
    throw error
  }
}

interface RewriteOptions {
  readonly mark: string
  readonly metadata: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** Goes on with the same token after a failure: what was copied so far stays copied. */
async function rewrite(
  { api, patience }: WriteTools,
  from: GcsLocation,
  to: GcsLocation,
  { mark, metadata, signal }: RewriteOptions,
): Promise<ObjectInfo> {
  const path = `${pathOf(from)}/rewriteTo${pathOf(to).replace('/storage/v1', '')}`
  const body = { contentType: 'application/octet-stream', metadata: { ...metadata, [MARK]: mark } }
  const failures = failuresOf(patience, signal)
  let rewriteToken: string | undefined
  for (;;) {
    const query = {
      sourceGeneration: from.generation,
      ifSourceGenerationMatch: from.generation,
      ifGenerationMatch: '0',
      rewriteToken,
    }
    try {
      const answer = await api.call({ method: 'POST', path, query, body, at: from, signal }, [412])
      if (answer.status === 412) {
        answer.stream.resume()
        return await ownCopy({ api }, from, to, mark, signal)
      }
      const { done, resource, rewriteToken: token } = await api.json(answer, signal)
      if (done === true) return infoOf((resource ?? {}) as Readonly<Record<string, unknown>>)
      if (typeof token !== 'string') throw brokenAnswer('the service did not say how to go on with the copy')
      rewriteToken = token
      failures.reset()
    } catch (error) {
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
  signal: AbortSignal,
): Promise<ObjectInfo> {
  const found = await api.info(to, signal).catch((error: unknown) => {
    throw isMullionError(error, 'not_found') ? changed(from) : error
  })
  if (found.metadata[MARK] !== mark) throw taken(to)
  return found
}

async function takeBack(tools: WriteTools, to: GcsLocation, mark: string): Promise<void> {
  const signal = AbortSignal.timeout(CLEANUP_MS)
  const found = await tools.api.info(to, signal).catch(() => undefined)
  if (found?.metadata[MARK] !== mark) return
  await removeGeneration(tools, { ...to, generation: found.generation }, signal)
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
