import { randomUUID } from 'node:crypto'
import type { ByteStream, WriteOptions, WriteResult } from 'mullion'
import { refuseTaken, type Writing } from './commit.ts'
import { checkedKey, type S3Location } from './location.ts'
import { uploadParts } from './multipart.ts'
import { partsOf } from './parts.ts'
import { nextPartSize } from './plan.ts'
import { putWhole } from './put.ts'
import type { Tools } from './tools.ts'

/** An object that fits into one part goes by a single PutObject, any other by a multipart upload. */
export async function write(
  tools: Tools,
  key: string,
  body: ByteStream,
  options: WriteOptions<S3Location>,
): Promise<WriteResult<S3Location>> {
  const { settings } = tools
  const { signal, size } = options
  const { writing, at } = writingOf(tools, key, options)
  const announce = (): Promise<void> => options.announce(at)
  signal.throwIfAborted()
  await refuseTaken(writing, signal)
  const parts = partsOf(body, settings.integrity)
  try {
    const first = await parts.next(nextPartSize(settings, size, 0))
    if (first.last) await putWhole(writing, first, signal, announce)
    else await uploadParts({ writing, parts, size, signal, announce }, first)
  } finally {
    await parts.leave()
  }
  return { at }
}

/** Throws `invalid_argument` for what is no key of mullion. */
export function writingOf(
  tools: Tools,
  key: string,
  options: Pick<WriteOptions, 'alive'>,
): { readonly writing: Writing; readonly at: S3Location } {
  const { bucket, prefix } = tools.settings
  const at: S3Location = { bucket, key: `${prefix}${checkedKey(key)}` }
  const place = { Bucket: bucket, Key: at.key }
  const alive = (): void => options.alive()
  return { at, writing: { ...tools, key, place, id: randomUUID(), alive, loss: { isUnanswered: false } } }
}
