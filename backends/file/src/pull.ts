import type { ByteStream } from 'mullion'

/** The stream, ending with `signal.reason` as soon as the signal aborts, also while the source is stuck. */
export async function* untilAborted(source: ByteStream, signal: AbortSignal): ByteStream & AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  let reject: ((reason: unknown) => void) | undefined
  const onAbort = (): void => reject?.(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  let ended = false
  try {
    for (;;) {
      const step = await new Promise<IteratorResult<Uint8Array>>((resolve, stop) => {
        if (signal.aborted) return stop(signal.reason as Error)
        reject = stop
        iterator.next().then(resolve, (error: unknown) => {
          ended = true
          stop(error)
        })
      })
      ended = step.done === true
      if (ended) return
      yield step.value as Uint8Array
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (!ended) {
      const returned = Promise.resolve(iterator.return?.()).catch(() => {})
      if (!signal.aborted) await returned // a source that is stuck answers no return() either
    }
  }
}
