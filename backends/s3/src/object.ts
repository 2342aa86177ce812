import { Readable } from 'node:stream'
import { type CallOptions, MullionError, type ReadOptions, type ReadResult, type StatResult } from 'mullion'
import { attempted } from './attempts.ts'
import { bodyOf } from './body.ts'
import { answered, failed, S3Error } from './errors.ts'
import { explained, head } from './head.ts'
import type { S3Location } from './location.ts'
import type { Tools } from './tools.ts'

/** Rejects `not_found`. */
export async function stat(tools: Tools, at: S3Location, { signal }: CallOptions): Promise<StatResult> {
  const place = { Bucket: at.bucket, Key: at.key }
  try {
    const found = await head(tools, place, signal)
    return { size: found.ContentLength, etag: found.ETag }
  } catch (error) {
    throw answered(error, 'NotFound') ? await explained(tools, place, signal, error) : error
  }
}

/** Rejects `not_found`. A range that starts at or past the end is an empty body. */
export async function read(tools: Tools, at: S3Location, options: ReadOptions): Promise<ReadResult> {
  const { client, settings } = tools
  const { signal } = options
  const Range = rangeOf(options)
  const input = { Bucket: at.bucket, Key: at.key, ...(Range !== undefined && { Range }) }
  try {
    const got = await client.send('GetObject', signal, (s3, sending) => s3.getObject(input, sending))
    if (!(got.Body instanceof Readable)) throw new TypeError('the body of an answer is no Readable')
    const body = bodyOf(got.Body, settings.idleTimeoutMs, (error) => failed('GetObject', error))
    if (Range === undefined) return { body, size: got.ContentLength, etag: got.ETag }
    const size = totalOf(got.ContentRange, options)
    if (size !== undefined) return { body, size, etag: got.ETag }
    body.destroy()
    const what = 's3 store: GetObject: the service sent another range than the one asked for'
    throw new MullionError('unavailable', what, { details: {}, retryable: false })
  } catch (error) {
    if (error instanceof S3Error && error.status === 416)
      return { ...(await stat(tools, at, options)), body: nothing() }
    throw error
  }
}

/**
 * Rejects `not_found`, for which it has to ask first: S3 answers the deletion of what is not there like any other. After
 * that the deletion may be repeated until it is known to have happened.
 */
export async function remove(tools: Tools, at: S3Location, { signal }: CallOptions): Promise<void> {
  const { client } = tools
  const place = { Bucket: at.bucket, Key: at.key }
  await attempted(tools, signal, () => stat(tools, at, { signal }))
  await attempted(tools, signal, async () => {
    try {
      await client.send('DeleteObject', signal, (s3, options) => s3.deleteObject(place, options))
    } catch (error) {
      if (!answered(error, 'NoSuchKey', 'NotFound')) throw error
    }
  })
}

function rangeOf({ offset, length }: ReadOptions): string | undefined {
  if (length !== undefined) return `bytes=${offset}-${offset + length - 1}`
  return offset > 0 ? `bytes=${offset}-` : undefined
}

/** Size of the whole object, if the range is the one asked for. */
function totalOf(range: string | undefined, { offset, length }: ReadOptions): number | undefined {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range ?? '') ?? []
  const size = Number(total)
  const end = length === undefined ? size : Math.min(size, offset + length)
  return Number(first) === offset && Number(last) === end - 1 ? size : undefined
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
