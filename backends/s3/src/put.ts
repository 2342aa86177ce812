import { cleanupSignal, commit, markOf, refuseTaken, takeBack, type Writing } from './commit.ts'
import type { Payload } from './payload.ts'
import { sendPayload } from './send.ts'

/** Stores what fits into one request. When that fails, or the signal aborts, nothing is left or it was logged. */
export async function putWhole(
  writing: Writing,
  whole: Payload,
  signal: AbortSignal,
  announce: () => Promise<void>,
): Promise<void> {
  const { client, place, settings } = writing
  await refuseTaken(writing, signal)
  await announce()
  const input = {
    ...place,
    ...whole.digest,
    ContentType: 'application/octet-stream',
    Metadata: markOf(writing),
    ...(settings.conditionalPut && { IfNoneMatch: '*' }),
  }
  try {
    await commit(writing, signal, () =>
      sendPayload('PutObject', whole, signal, writing, (body, stop) =>
        client.send('PutObject', stop, (s3, options) => s3.putObject({ ...input, ...body }, options)),
      ),
    )
    signal.throwIfAborted()
  } catch (error) {
    await takeBack(writing, cleanupSignal())
    throw error
  }
}
