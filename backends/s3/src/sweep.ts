import type { MultipartUpload } from '@aws-sdk/client-s3'
import { attempted } from './attempts.ts'
import { failed } from './errors.ts'
import { keyWithout } from './location.ts'
import type { Tools } from './tools.ts'

/** Uploads that one run aborts at most. */
const MAX_ABORTED = 10_000

/**
 * Aborts uploads of the store's own keys that began before `before`, in milliseconds since the epoch, and logs each.
 * Never rejects; ends when the signal aborts.
 */
export async function sweepUploads(tools: Tools, before: number, signal: AbortSignal): Promise<void> {
  const { client, settings, log } = tools
  let aborted = 0
  try {
    for await (const { Key, UploadId, Initiated } of listed(tools, signal)) {
      if (Key === undefined || UploadId === undefined || Initiated === undefined) continue
      if (keyWithout(settings.prefix, Key) === undefined) continue
      if (Initiated.getTime() >= before) continue
      const upload = { Bucket: settings.bucket, Key, UploadId }
      await attempted(settings.uploadAttempts, signal, () =>
        client.send('AbortMultipartUpload', signal, (s3, options) => s3.abortMultipartUpload(upload, options)),
      )
      log('aborted an abandoned upload', { key: Key, uploadId: UploadId, since: Initiated.toISOString() })
      aborted += 1
      if (aborted === MAX_ABORTED) return
    }
  } catch (error) {
    if (!signal.aborted) log('could not look for abandoned uploads', { error: failed('sweep', error).message })
  }
}

async function* listed({ client, settings }: Tools, signal: AbortSignal): AsyncGenerator<MultipartUpload> {
  const { bucket: Bucket, prefix: Prefix } = settings
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {}
  while (marker) {
    const from: object = marker
    const page = await attempted(settings.uploadAttempts, signal, () =>
      client.send('ListMultipartUploads', signal, (s3, options) =>
        s3.listMultipartUploads({ Bucket, Prefix, ...from }, options),
      ),
    )
    yield* page.Uploads ?? []
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page
    const isMore = page.IsTruncated === true && KeyMarker !== undefined
    marker = isMore ? { KeyMarker, ...(UploadIdMarker !== undefined && { UploadIdMarker }) } : undefined
  }
}
