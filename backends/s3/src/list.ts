import type { ListObjectsV2Request, ListPartsRequest, MultipartUpload } from '@aws-sdk/client-s3'
import { type CallOptions, type Listed, type ListedPartial, type ListOptions, MullionError } from 'mullion'
import { attempted, type Trying } from './attempts.ts'
import { answered, failed, S3Error } from './errors.ts'
import { keyWithout, type S3Location } from './location.ts'
import { listedUploads } from './sweep.ts'
import type { Tools } from './tools.ts'

/** Entries of one page; more are not answered. */
const PAGE = 1000

/** Objects of the store's own keys, then uploads of them that were not finished. */
export async function* list(
  tools: Tools,
  options: ListOptions,
  pageSize: number = PAGE,
): AsyncGenerator<Listed<S3Location>> {
  yield* objects(tools, options, pageSize)
  yield* partials(tools, options, pageSize)
}

/** What has a slash behind the prefix is nobody's key; the delimiter spares us those pages. */
async function* objects(
  { client, settings }: Tools,
  { signal, alive }: ListOptions,
  pageSize: number,
): AsyncGenerator<Listed<S3Location>> {
  const { bucket, prefix } = settings
  let token: string | undefined
  do {
    const from = token === undefined ? {} : { ContinuationToken: token }
    const input: ListObjectsV2Request = { Bucket: bucket, Prefix: prefix, Delimiter: '/', MaxKeys: pageSize, ...from }
    const page = await attempted({ settings, alive }, signal, () =>
      client.send('ListObjectsV2', signal, (s3, sending) => s3.listObjectsV2(input, sending)),
    )
    alive()
    for (const { Key: key = '', Size: size, LastModified: modifiedAt } of page.Contents ?? []) {
      if (keyWithout(prefix, key) !== undefined) yield { kind: 'object', at: { bucket, key }, size, modifiedAt }
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined
  } while (token !== undefined)
}

async function* partials(
  tools: Tools,
  { signal, alive }: ListOptions,
  pageSize: number,
): AsyncGenerator<ListedPartial> {
  const { settings, log } = tools
  try {
    for await (const found of listedUploads(tools, signal, { alive, pageSize })) {
      const upload = identityOf(tools, found)
      const extent = upload && (await extentOf(tools, { settings, alive }, upload, signal))
      if (extent) yield partial(tools, upload, { ...extent, modifiedAt: extent.modifiedAt ?? found.Initiated })
    }
  } catch (error) {
    if (!(error instanceof S3Error && error.code === 'unsupported')) throw error
    log('the service does not list unfinished uploads', { error: failed('list', error).message })
  }
}

interface Upload {
  readonly Bucket: string
  readonly Key: string
  readonly UploadId: string
}

function identityOf({ settings }: Tools, { Key, UploadId }: MultipartUpload): Upload | undefined {
  if (Key === undefined || UploadId === undefined || keyWithout(settings.prefix, Key) === undefined) return undefined
  return { Bucket: settings.bucket, Key, UploadId }
}

/** How far an upload got. */
interface Extent {
  readonly size: number
  readonly parts: number
  /** Of the part that came last; undefined as long as there is none. */
  readonly modifiedAt: Date | undefined
}

/** Undefined when the upload is over. */
async function extentOf(
  { client }: Tools,
  trying: Trying,
  upload: Upload,
  signal: AbortSignal,
): Promise<Extent | undefined> {
  let extent: Extent = { size: 0, parts: 0, modifiedAt: undefined }
  let marker: string | undefined
  try {
    do {
      const input: ListPartsRequest = { ...upload, ...(marker !== undefined && { PartNumberMarker: marker }) }
      const page = await attempted(trying, signal, () =>
        client.send('ListParts', signal, (s3, sending) => s3.listParts(input, sending)),
      )
      trying.alive?.()
      for (const { Size = 0, LastModified } of page.Parts ?? []) extent = grown(extent, Size, LastModified)
      marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined
    } while (marker !== undefined)
    return extent
  } catch (error) {
    if (answered(error, 'NoSuchUpload', 'NoSuchKey', 'NotFound')) return undefined // radosgw: NoSuchKey
    throw error
  }
}

function grown({ size, parts, modifiedAt }: Extent, bytes: number, at: Date | undefined): Extent {
  const isLater = at !== undefined && (modifiedAt === undefined || at > modifiedAt)
  return { size: size + bytes, parts: parts + 1, modifiedAt: isLater ? at : modifiedAt }
}

/** An upload that was completed is no upload any more: aborting it does nothing to the object. */
function partial(tools: Tools, upload: Upload, { size, parts, modifiedAt }: Extent): ListedPartial {
  const { client, settings } = tools
  const name = `${upload.Bucket}/${upload.Key}?uploadId=${upload.UploadId}`
  return {
    kind: 'partial',
    name,
    size,
    modifiedAt,
    async remove({ signal }: CallOptions) {
      const now = await extentOf(tools, { settings }, upload, signal)
      if (!now) return
      if (now.parts !== parts || now.size !== size) throw changed(name)
      await attempted({ settings }, signal, () =>
        client.send('AbortMultipartUpload', signal, (s3, sending) => s3.abortMultipartUpload(upload, sending)),
      ).catch((error: unknown) => {
        if (!answered(error, 'NoSuchUpload', 'NoSuchKey', 'NotFound')) throw error
      })
    },
  }
}

function changed(name: string): MullionError<'conflict'> {
  const message = `s3 store: the upload ${name} went on since it was listed`
  return new MullionError('conflict', message, { details: { expected: name } })
}
