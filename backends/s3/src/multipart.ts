import type { CompletedPart } from '@aws-sdk/client-s3'
import { MullionError } from 'mullion'
import { attempted } from './attempts.ts'
import { cleanupSignal, commit, markOf, refuseTaken, takeBack, type Writing } from './commit.ts'
import { answered, failed } from './errors.ts'
import type { Part, Parts } from './parts.ts'
import { nextPartSize } from './plan.ts'
import { sendPatiently, sendPayload } from './send.ts'
import { type Window, windowOf } from './window.ts'

export interface Multipart {
  readonly writing: Writing
  readonly parts: Parts
  readonly size: number | undefined
  readonly signal: AbortSignal
  /** Called when all parts are there and the place is known to be free. */
  readonly announce: () => Promise<void>
}

/** Uploads `first` and all that follows. Whatever fails, the upload is gone when it rejects, or it was logged. */
export async function uploadParts(upload: Multipart, first: Part): Promise<void> {
  const { writing, signal } = upload
  const UploadId = await create(writing, signal)
  await withUpload(writing, UploadId, signal, async (window) => {
    const done = await sendAll(upload, UploadId, first, window)
    return { parts: done, announce: upload.announce }
  })
}

export async function create(writing: Writing, signal: AbortSignal): Promise<string> {
  const { client, place, settings } = writing
  const input = {
    ...place,
    ContentType: 'application/octet-stream',
    Metadata: markOf(writing),
    ...(settings.integrity === 'crc32' && { ChecksumAlgorithm: 'CRC32' as const }),
  }
  const { UploadId } = await attempted(writing, signal, () =>
    client.send('CreateMultipartUpload', signal, (s3, options) => s3.createMultipartUpload(input, options)),
  )
  if (UploadId !== undefined) return UploadId
  throw new MullionError('unavailable', 's3 store: CreateMultipartUpload: no upload id in the answer', { details: {} })
}

export interface Assembly {
  readonly parts: readonly CompletedPart[]
  /** Called when the place is known to be free. */
  readonly announce: () => Promise<void>
}

/** Makes an object of the parts that `fill` sends; when anything fails, ends those in flight and aborts the upload. */
export async function withUpload(
  writing: Writing,
  UploadId: string,
  signal: AbortSignal,
  fill: (window: Window) => Promise<Assembly>,
): Promise<void> {
  const { settings } = writing
  const window = windowOf(settings.uploadConcurrency * settings.partSize, signal)
  let isCommitting = false
  try {
    const { parts, announce } = await fill(window)
    await refuseTaken(writing, signal)
    await announce()
    signal.throwIfAborted()
    isCommitting = true
    await complete(writing, UploadId, parts, signal)
    signal.throwIfAborted()
  } catch (error) {
    const cleanup = cleanupSignal()
    await window.stop(error)
    await discard(writing, UploadId, cleanup)
    if (isCommitting) await takeBack(writing, cleanup)
    throw error
  } finally {
    await window.stop(undefined)
  }
}

async function sendAll(
  { writing, parts, size }: Multipart,
  UploadId: string,
  first: Part,
  window: Window,
): Promise<readonly CompletedPart[]> {
  const { settings } = writing
  const done: CompletedPart[] = []
  let part = first
  let sent = 0
  for (;;) {
    const { number } = part
    const current = part
    if (number > settings.maxParts) throw tooManyParts(writing, sent)
    sent += part.size
    if (sent > settings.maxSize) throw tooLarge(writing)
    await window.enter(part.size, async (signal) => {
      done[number - 1] = await sendPart(writing, UploadId, current, signal)
      parts.reuse(current)
    })
    if (part.last) break
    part = await window.orFailed(parts.next(nextPartSize(settings, size, sent)))
  }
  await window.emptied()
  return done
}

/** One part, as often as it takes. */
async function sendPart(writing: Writing, UploadId: string, part: Part, signal: AbortSignal): Promise<CompletedPart> {
  const { client, place, alive } = writing
  const { number: PartNumber, digest } = part
  const { ETag } = await attempted(writing, signal, () =>
    sendPayload('UploadPart', part, signal, { alive }, (body, stop) =>
      client.send('UploadPart', stop, (s3, options) =>
        s3.uploadPart({ ...place, ...body, ...digest, UploadId, PartNumber }, options),
      ),
    ),
  )
  const { ChecksumCRC32 } = digest
  return { PartNumber, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) }
}

async function complete(
  writing: Writing,
  UploadId: string,
  parts: readonly CompletedPart[],
  signal: AbortSignal,
): Promise<void> {
  const { client, place, settings } = writing
  const input = {
    ...place,
    UploadId,
    MultipartUpload: { Parts: [...parts] },
    ...(settings.conditionalComplete && { IfNoneMatch: '*' }),
  }
  const ask = (stop: AbortSignal): Promise<unknown> =>
    client.send('CompleteMultipartUpload', stop, (s3, options) => s3.completeMultipartUpload(input, options))
  await commit(writing, signal, () => sendPatiently(signal, ask, writing.loss))
}

/**
 * Aborts the upload until the service does not know it any more: a part that was in flight may be kept after the first
 * time (Amazon S3 API Reference, AbortMultipartUpload).
 */
async function discard(writing: Writing, UploadId: string, signal: AbortSignal): Promise<void> {
  const { client, place, settings, log } = writing
  const upload = { ...place, UploadId }
  try {
    for (let round = 0; round < settings.uploadAttempts; round += 1) {
      await attempted({ settings }, signal, () =>
        client.send('AbortMultipartUpload', signal, (s3, options) => s3.abortMultipartUpload(upload, options)),
      )
      await client.send('ListParts', signal, (s3, options) => s3.listParts({ ...upload, MaxParts: 1 }, options))
    }
    log('parts of a failed upload keep coming back', { key: place.Key, uploadId: UploadId })
  } catch (error) {
    if (answered(error, 'NoSuchUpload', 'NotFound', 'NoSuchKey')) return
    const said = failed('AbortMultipartUpload', error).message
    log('could not abort a failed upload; the sweep will', { key: place.Key, uploadId: UploadId, error: said })
  }
}

function tooManyParts({ key, settings }: Writing, limit: number): MullionError<'too_large'> {
  const what = `s3 store: ${key}: more than ${limit} bytes, which is all that ${settings.maxParts} parts hold`
  return new MullionError('too_large', `${what}; announce the size, or raise partSize`, { details: { limit } })
}

function tooLarge({ key, settings: { maxSize: limit } }: Writing): MullionError<'too_large'> {
  return new MullionError('too_large', `s3 store: ${key}: larger than ${limit} bytes`, { details: { limit } })
}
