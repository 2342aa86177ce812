import type { CompletedPart } from '@aws-sdk/client-s3'
import { MullionError, type StatResult, type Store } from 'mullion'
import { attempted } from './attempts.ts'
import { cleanupSignal, commit, markOf, refuseTaken, takeBack, type Writing } from './commit.ts'
import { MAX_PART, type S3Settings } from './config.ts'
import { answered } from './errors.ts'
import type { S3Location } from './location.ts'
import { create, withUpload } from './multipart.ts'
import { stat } from './object.ts'
import { digester } from './payload.ts'
import { putWhole } from './put.ts'
import { sendPatiently } from './send.ts'
import type { Tools } from './tools.ts'
import type { Window } from './window.ts'
import { writingOf } from './write.ts'

export type CopyFrom = NonNullable<Store<S3Location>['copyFrom']>
type CopyOptions = Parameters<CopyFrom>[2]
type Copied = Awaited<ReturnType<CopyFrom>>

const GIB = 1024 ** 3

/** An object of the same service under the same credentials. */
export interface Original {
  readonly tools: Tools
  readonly at: S3Location
}

/** The service copies by itself. */
export async function copy(tools: Tools, key: string, original: Original, options: CopyOptions): Promise<Copied> {
  const { settings } = tools
  const { signal } = options
  if (!isSameService(settings, original.tools.settings)) return undefined
  const { writing, at } = writingOf(tools, key, options)
  const source = await sourceOf(writing, original, options)
  if (source === undefined) return undefined
  const announce = (): Promise<void> => options.announce(at)
  await refuseTaken(writing, signal)
  await wayOf(settings, source)(writing, source, signal, announce)
  try {
    const { size } = await attempted(writing, signal, () => stat(tools, at, { signal }))
    if (size !== source.size) throw changed(original.at)
  } catch (error) {
    await takeBack(writing, cleanupSignal())
    throw error
  }
  return { at, size: source.size }
}

type Way = (writing: Writing, source: Source, signal: AbortSignal, announce: () => Promise<void>) => Promise<void>

function wayOf({ conditionalComplete, copyIfMatch }: S3Settings, { size }: Source): Way {
  if (size === 0) return copyNothing
  // a condition on what CopyObject creates is younger than the other conditions, and known to fewer services
  return size > MAX_PART || conditionalComplete || !copyIfMatch ? copyParts : copyWhole
}

interface Source {
  readonly original: Original
  readonly size: number
  readonly etag: string
  /** How the API names it. */
  readonly named: { readonly CopySource: string; readonly CopySourceIfMatch?: string }
}

/** Undefined when nothing tells whether the original stays the same. Rejects `conflict` when it has changed already. */
async function sourceOf(
  writing: Writing,
  original: Original,
  { signal, size, etag }: CopyOptions,
): Promise<Source | undefined> {
  const { tools, at } = original
  const found: StatResult =
    size !== undefined && etag !== undefined
      ? { size, etag }
      : await attempted(writing, signal, () => stat(tools, at, { signal }))
  if (found.size === undefined || found.etag === undefined) return undefined
  if (size !== undefined && size !== found.size) throw changed(at)
  const CopySource = `${at.bucket}/${at.key.split('/').map(encodeURIComponent).join('/')}`
  const named = { CopySource, ...(writing.settings.copyIfMatch && { CopySourceIfMatch: found.etag }) }
  return { original, size: found.size, etag: found.etag, named }
}

/** No part can be copied from an empty object. */
const copyNothing: Way = async (writing, source, signal, announce) => {
  await refuseChanged(writing, source, signal)
  const digest = digester(writing.settings.integrity).end()
  await putWhole(writing, { blocks: [], size: 0, digest }, signal, announce)
}

const copyWhole: Way = async (writing, source, signal, announce) => {
  const { client, place } = writing
  await announce()
  const input = {
    ...place,
    ...source.named,
    MetadataDirective: 'REPLACE' as const,
    ContentType: 'application/octet-stream',
    Metadata: markOf(writing),
  }
  const ask = (stop: AbortSignal): Promise<unknown> =>
    client.send('CopyObject', stop, (s3, options) => s3.copyObject(input, options))
  try {
    await commit(writing, signal, () => sendPatiently(signal, ask, writing.loss))
    signal.throwIfAborted()
  } catch (error) {
    await takeBack(writing, cleanupSignal())
    throw refused(error, source)
  }
}

const copyParts: Way = async (writing, source, signal, announce) => {
  const UploadId = await create(writing, signal)
  await withUpload(writing, UploadId, signal, async (window) => {
    const parts = await copyRanges(writing, UploadId, source, window)
    if (!writing.settings.copyIfMatch) await refuseChanged(writing, source, signal)
    return { parts, announce }
  })
}

/** Parts hold no bytes here, so each weighs the same, and as many run as of a usual upload. */
async function copyRanges(
  writing: Writing,
  UploadId: string,
  source: Source,
  window: Window,
): Promise<readonly CompletedPart[]> {
  const { client, place, settings } = writing
  const { size, named } = source
  const partSize = Math.max(GIB, Math.ceil(size / settings.maxParts))
  const count = Math.ceil(size / partSize)
  const done: CompletedPart[] = []
  for (let index = 0; index < count; index += 1) {
    const last = Math.min(size, (index + 1) * partSize) - 1
    const range = count === 1 ? {} : { CopySourceRange: `bytes=${index * partSize}-${last}` }
    const input = { ...place, UploadId, PartNumber: index + 1, ...named, ...range }
    await window.enter(settings.partSize, async (signal) => {
      const { CopyPartResult } = await attempted(writing, signal, () =>
        client.send('UploadPartCopy', signal, (s3, options) => s3.uploadPartCopy(input, options)),
      ).catch((error: unknown) => {
        throw refused(error, source)
      })
      writing.alive()
      const { ETag, ChecksumCRC32 } = CopyPartResult ?? {}
      done[index] = { PartNumber: index + 1, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) }
    })
  }
  await window.emptied()
  return done
}

/** What the service says when `x-amz-copy-source-if-match` does not hold, or the original is shorter than it was. */
function refused(error: unknown, { original }: Source): unknown {
  return answered(error, 'PreconditionFailed', 'InvalidRange') ? changed(original.at) : error
}

async function refuseChanged(writing: Writing, { original, size, etag }: Source, signal: AbortSignal): Promise<void> {
  const now = await attempted(writing, signal, () => stat(original.tools, original.at, { signal }))
  if (now.etag !== etag || now.size !== size) throw changed(original.at)
}

function isSameService(one: S3Settings, other: S3Settings): boolean {
  const identity = ({ endpoint, region, credentials }: S3Settings): string =>
    JSON.stringify([endpoint, region, credentials])
  return identity(one) === identity(other)
}

function changed({ bucket, key }: S3Location): MullionError<'conflict'> {
  const location = `s3://${bucket}/${key}`
  const what = `s3 store: ${location}: the object changed before it was copied`
  return new MullionError('conflict', what, { details: { expected: location } })
}
