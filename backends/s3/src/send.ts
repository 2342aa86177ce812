import type { Readable } from 'node:stream'
import type { Loss } from './commit.ts'
import { isUnanswered, S3Error } from './errors.ts'
import { outgoing, type Payload } from './payload.ts'

/** How long a request that is on its way may take to be answered after the signal has aborted. */
const GRACE_MS = 2000

/** Whom to tell of a request. */
export interface Sending {
  alive(): void
  /** Of what makes an object visible. */
  readonly loss?: Loss
}

/** Sends a payload. Rejects `DigestMismatch` when the answer shows other bytes than were sent. */
export async function sendPayload<T extends Kept>(
  operation: string,
  payload: Payload,
  signal: AbortSignal,
  { alive, loss }: Sending,
  send: (body: { readonly Body: Readable; readonly ContentLength: number }, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const { stream, whole } = outgoing(payload, alive)
  const request = (stop: AbortSignal): Promise<T> => send({ Body: stream, ContentLength: payload.size }, stop)
  try {
    const kept = await sendPatiently(signal, request, loss, whole)
    if (isOther(payload, kept)) throw new S3Error(operation, 'DigestMismatch', 200, ': the service kept other bytes')
    return kept
  } finally {
    stream.destroy()
  }
}

/**
 * When the signal aborts the request is given up at once as long as the service cannot have all of it, since it then
 * does nothing; later the answer is waited for, as nobody could tell what became of it.
 */
export async function sendPatiently<T>(
  signal: AbortSignal,
  send: (signal: AbortSignal) => Promise<T>,
  loss: Loss | undefined,
  isWhole: () => boolean = () => true,
): Promise<T> {
  signal.throwIfAborted()
  const request = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const stop = (): void => request.abort(signal.reason)
  const onAbort = (): void => {
    if (isWhole()) timer = setTimeout(stop, GRACE_MS)
    else stop()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await send(request.signal)
  } catch (error) {
    if (loss && isWhole() && (request.signal.aborted || isUnanswered(error))) loss.isUnanswered = true
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    clearTimeout(timer)
  }
}

/** What an answer says of the bytes that the service keeps. */
interface Kept {
  readonly ETag?: string | undefined
  readonly ChecksumCRC32?: string | undefined
  readonly ServerSideEncryption?: string | undefined
}

/** The ETag is an MD5 when it looks like one and nothing was encrypted (Amazon S3 API Reference, Object). */
function isOther({ digest }: Payload, { ETag = '', ChecksumCRC32, ServerSideEncryption }: Kept): boolean {
  if (digest.ChecksumCRC32 !== undefined) return ChecksumCRC32 !== undefined && ChecksumCRC32 !== digest.ChecksumCRC32
  const md5 = /^"?([0-9a-f]{32})"?$/.exec(ETag)?.[1]
  if (digest.ContentMD5 === undefined || md5 === undefined || ServerSideEncryption !== undefined) return false
  return Buffer.from(md5, 'hex').toString('base64') !== digest.ContentMD5
}
