import { puller } from '../bytes.ts'

/** The same entries; each is asked for by `step`. Whatever ends it releases the entries. */
export async function* stepwise<T>(
  entries: AsyncIterable<T>,
  signal: AbortSignal,
  step: (next: () => Promise<IteratorResult<T>>) => Promise<IteratorResult<T>>,
): AsyncGenerator<T> {
  const { next, release } = puller(entries, signal)
  try {
    for (;;) {
      const { done, value } = await step(next)
      if (done) return
      yield value
    }
  } finally {
    await release()
  }
}
