import type { Readable } from 'node:stream'
import { S3Error } from './errors.ts'
import { outgoing, type Payload } from './payload.ts'

/** How long a request whose bytes are all on their way may take to be answered after the signal has aborted. */
const GRACE_MS = 2000

/**
 * Sends a payload. When the signal aborts the request is given up at once as long as the service cannot have all of it,
 * since it then keeps none; later the answer is waited for, as nobody could tell what became of the bytes. Rejects
 * `DigestMismatch` when the answer shows other bytes than were sent.
 */
export async function sendPayload<T extends Kept>(
  operation: string,
  payload: Payload,
  signal: AbortSignal,
  send: (body: { readonly Body: Readable; readonly ContentLength: number }, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const { stream, whole } = outgoing(payload)
  const request = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const stop = (): void => request.abort(signal.reason)
  const onAbort = (): void => {
    if (whole()) timer = setTimeout(stop, GRACE_MS)
    else stop()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const kept = await send({ Body: stream, ContentLength: payload.size }, request.signal)
    if (isOther(payload, kept)) throw new S3Error(operation, 'DigestMismatch', 200, ': the service kept other bytes')
    return kept
  } finally {
    signal.removeEventListener('abort', onAbort)
    clearTimeout(timer)
    stream.destroy()
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
