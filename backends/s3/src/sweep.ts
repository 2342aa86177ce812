import type { MultipartUpload } from '@aws-sdk/client-s3'
import { attempted } from './attempts.ts'
import { answered, failed } from './errors.ts'
import { keyWithout } from './location.ts'
import type { Tools } from './tools.ts'

/** Uploads that one run aborts at most. */
const MAX_ABORTED = 10_000

/**
 * Aborts uploads of the store's own keys that are older than `staleMs` by the clock of the service, or `now` if it tells
 * none, and logs each. Never rejects; ends when the signal aborts.
 */
export async function sweepUploads(
  tools: Tools,
  staleMs: number,
  now: () => number,
  signal: AbortSignal,
): Promise<void> {
  const { client, settings, log } = tools
  let before: number | undefined
  let found = 0
  try {
    for await (const { Key, UploadId, Initiated } of listedUploads(tools, signal)) {
      before ??= (client.now() ?? now()) - staleMs
      if (Key === undefined || UploadId === undefined || Initiated === undefined) continue
      if (keyWithout(settings.prefix, Key) === undefined) continue
      if (Initiated.getTime() >= before) continue
      await abort(tools, { Key, UploadId, Initiated }, signal)
      found += 1
      if (found === MAX_ABORTED) return
    }
  } catch (error) {
    if (!signal.aborted) log('could not look for abandoned uploads', { error: failed('sweep', error).message })
  }
}

interface Abandoned {
  readonly Key: string
  readonly UploadId: string
  readonly Initiated: Date
}

/** Logs what the service refuses; rejects when the signal aborts. */
async function abort(tools: Tools, { Key, UploadId, Initiated }: Abandoned, signal: AbortSignal): Promise<void> {
  const { client, settings, log } = tools
  const fields = { key: Key, uploadId: UploadId, since: Initiated.toISOString() }
  const upload = { Bucket: settings.bucket, Key, UploadId }
  try {
    await attempted(tools, signal, () =>
      client.send('AbortMultipartUpload', signal, (s3, options) => s3.abortMultipartUpload(upload, options)),
    )
    log('aborted an abandoned upload', fields)
  } catch (error) {
    signal.throwIfAborted()
    if (answered(error, 'NoSuchUpload', 'NotFound')) return
    log('could not abort an abandoned upload', { ...fields, error: failed('sweep', error).message })
  }
}

/** Whatever was begun below the prefix and not finished, page by page. `alive` is told of each. */
export async function* listedUploads(
  tools: Tools,
  signal: AbortSignal,
  { alive = () => {}, pageSize }: { readonly alive?: () => void; readonly pageSize?: number } = {},
): AsyncGenerator<MultipartUpload> {
  const { client, settings } = tools
  const place = { Bucket: settings.bucket, Prefix: settings.prefix, MaxUploads: pageSize }
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {}
  while (marker) {
    const from: object = marker
    const page = await attempted({ settings, alive }, signal, () =>
      client.send('ListMultipartUploads', signal, (s3, options) =>
        s3.listMultipartUploads({ ...place, ...from }, options),
      ),
    )
    alive()
    yield* page.Uploads ?? []
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page
    const isMore = page.IsTruncated === true && KeyMarker !== undefined
    marker = isMore ? { KeyMarker, ...(UploadIdMarker !== undefined && { UploadIdMarker }) } : undefined
  }
}
