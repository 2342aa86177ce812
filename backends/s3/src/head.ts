import { Readable } from 'node:stream'
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { answered, S3Error } from './errors.ts'
import type { Tools } from './tools.ts'

export interface Place {
  readonly Bucket: string
  readonly Key: string
}

/** Rejects S3Error: `NotFound` when the object or its bucket is missing. */
export async function head(tools: Tools, place: Place, signal: AbortSignal): Promise<HeadObjectCommandOutput> {
  try {
    return await tools.client.send('HeadObject', signal, (s3, options) => s3.headObject(place, options))
  } catch (error) {
    const isRefused = error instanceof S3Error && error.status !== undefined && error.status < 500
    throw isRefused && !answered(error, 'NotFound') ? await explained(tools, place, signal, error) : error
  }
}

/** The answer to HEAD has no body that says why: a GET is refused for the same reason, and tells it. */
export async function explained(
  { client }: Tools,
  place: Place,
  signal: AbortSignal,
  error: unknown,
): Promise<unknown> {
  try {
    const input = { ...place, Range: 'bytes=0-0' }
    const { Body } = await client.send('GetObject', signal, (s3, options) => s3.getObject(input, options))
    if (Body instanceof Readable) Body.destroy()
    return error
  } catch (reason) {
    return reason instanceof S3Error && reason.status === undefined ? error : reason
  }
}
