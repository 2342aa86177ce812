/**
 * Works on the items of a source, so many at a time; the source is asked for no more than that. Rejects with the first
 * failure, once what runs is over.
 */
export async function inParallel<T>(
  items: AsyncIterable<T>,
  lanes: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  try {
    for await (const item of items) {
      const task = work(item).catch((error: unknown) => void failures.push(error))
      running.add(task)
      void task.then(() => running.delete(task))
      if (running.size >= lanes) await Promise.race(running)
      if (failures.length > 0) break
    }
  } finally {
    await Promise.all(running)
  }
  if (failures.length > 0) throw failures[0]
}
