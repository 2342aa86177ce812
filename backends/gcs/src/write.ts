import { type ByteStream, isMullionError, type StoreEnv, type WriteOptions, type WriteResult } from 'mullion'
import type { ObjectInfo } from './api.ts'
import { type Chunk, chunksOf } from './chunks.ts'
import type { Caller } from './exchange.ts'
import { formatUri, type GcsLocation } from './location.ts'
import { retrying } from './patience.ts'
import { assertSame, cancelSession, sendChunk, type Session, startSession, taken, type UploadTools } from './session.ts'

export interface WriteTools extends UploadTools {
  readonly chunkSize: number
  readonly log: StoreEnv['log']
}

/** For what has to be undone when the caller no longer waits. The core gives up after twice as long. */
export const CLEANUP_MS: number = 5000

/** One resumable upload, so that a broken connection costs a chunk at most, and never tells twice whether it ended. */
export async function write(
  tools: WriteTools,
  at: GcsLocation,
  body: ByteStream,
  options: WriteOptions<GcsLocation>,
): Promise<WriteResult<GcsLocation>> {
  const { size, announce } = options
  const session = await freePlace(tools, at, options)
  const progress: { last: Chunk | undefined } = { last: undefined }
  try {
    await announce(at)
    const { generation } = await send(tools, session, chunksOf(body, tools.chunkSize, size), progress, options)
    return { at: { ...at, generation } }
  } catch (error) {
    await takeBack(tools, session, progress.last)
    throw error
  }
}

/**
 * Looks for an object while the session is opened: Google judges `ifGenerationMatch` when an upload ends
 * (googleapis/google-cloud-java issue 201), but a place has to be known to be free before it is announced.
 */
async function freePlace(tools: WriteTools, at: GcsLocation, options: WriteOptions<GcsLocation>): Promise<Session> {
  const { api, patience } = tools
  const [free, session] = await Promise.allSettled([
    retrying(patience, options, () => assertFree(api, at, options)),
    retrying(patience, options, () => startSession(tools, at, options)),
  ])
  if (free.status === 'rejected') {
    if (session.status === 'fulfilled') await takeBack(tools, session.value, undefined)
    throw free.reason
  }
  if (session.status === 'rejected') throw session.reason
  return session.value
}

/** Rejects `already_exists`. */
export async function assertFree(api: UploadTools['api'], at: GcsLocation, caller: Caller): Promise<void> {
  const found = await api.info(at, caller).catch((error: unknown) => {
    if (isMullionError(error, 'not_found')) return undefined
    throw error
  })
  if (found) throw taken(at)
}

/** Reads the next chunk while one is on its way. */
async function send(
  tools: WriteTools,
  session: Session,
  chunks: AsyncGenerator<Chunk>,
  progress: { last: Chunk | undefined },
  caller: Caller,
): Promise<ObjectInfo> {
  let coming = chunks.next()
  try {
    for (;;) {
      const { value: chunk } = (await coming) as IteratorYieldResult<Chunk>
      caller.signal.throwIfAborted()
      if (!chunk.end) coming = chunks.next()
      coming.catch(() => {}) // it is awaited when this chunk has arrived
      if (chunk.end) progress.last = chunk
      const info = await sendChunk(tools, session, chunk, caller)
      if (!info || !chunk.end) continue
      assertSame(info, chunk.end)
      return info
    }
  } finally {
    void chunks.return(undefined).catch(() => {}) // without waiting: its source may be stuck
  }
}

/** Once the last chunk was sent nobody but the service knows whether the object is there. */
async function takeBack(tools: WriteTools, session: Session, last: Chunk | undefined): Promise<void> {
  const signal = AbortSignal.timeout(CLEANUP_MS)
  try {
    const made = await cancelSession(tools, session, last, signal)
    if (made) await removeGeneration(tools, { ...session.at, generation: made.generation }, signal)
  } catch {
    tools.log('a failed write may have left an object', { location: formatUri(session.at) })
  }
}

export async function removeGeneration(
  { api, log }: Pick<WriteTools, 'api' | 'log'>,
  at: GcsLocation,
  signal: AbortSignal,
): Promise<void> {
  await api.remove(at, signal).catch((error: unknown) => {
    if (isMullionError(error, 'not_found')) return
    const why = isMullionError(error) ? error.message : 'gave up'
    log('could not remove an object whose write failed', { location: formatUri(at), error: why })
  })
}
