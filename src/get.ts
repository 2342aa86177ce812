import { orAborted } from './abort.ts'
import type { TransferLimits } from './add-options.ts'
import { bytes } from './arguments.ts'
import { release } from './bytes.ts'
import { inContext, isMullionError } from './errors.ts'
import { type OpenedStore, translated, unsupported } from './opened.ts'
import { Outflow } from './outflow.ts'
import type { OnProgress } from './progress.ts'
import { retrying } from './retry.ts'
import type { ReadResult } from './store.ts'

export interface GetOptions {
  /** First byte. Default 0. Needs a store with ranges, else rejects `unsupported`. */
  readonly offset?: number
  /** Bytes at most. Default: to the end. A range ends where the object ends. */
  readonly length?: number
  /** Aborting ends the body with `signal.reason` itself. */
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** Read the body to its end, leave it early, or dispose of the result: each releases what the store holds. */
export interface GetResult extends AsyncDisposable {
  /** Throws instead of ending when bytes are missing or too many. Can be read once. */
  readonly body: AsyncIterableIterator<Uint8Array>
  /** Bytes of the whole object, also when a range was asked for; undefined when the store cannot tell. */
  readonly size: number | undefined
  readonly etag: string | undefined
  /** Name of the store. */
  readonly store: string
}

/** What one download is about; `shown` is the redacted location. */
export interface Download {
  readonly opened: OpenedStore
  readonly at: unknown
  readonly shown: string
  readonly limits: TransferLimits
}

/** Rejects before the first byte: `not_found`, `unsupported`, … `over` is called once the body is, if it resolves. */
export async function get(
  download: Download,
  options: GetOptions & { readonly signal: AbortSignal },
  over: () => void,
): Promise<GetResult> {
  const { opened, limits } = download
  const offset = bytes('offset', options.offset) ?? 0
  const length = bytes('length', options.length)
  if ((offset > 0 || length !== undefined) && !opened.spec.capabilities.range) {
    throw unsupported(opened, 'range', 'cannot read ranges')
  }
  const { signal, onProgress } = options
  const give = await opened.slots.take(signal)
  let attempts = 0
  try {
    const open = (from: number, count: number | undefined): Promise<ReadResult> =>
      openRead(download, from, count, signal)
    const first = await retrying(
      limits.retry,
      signal,
      () => true,
      (attempt) => {
        attempts = attempt
        return open(offset, length)
      },
    )
    const end = (): void => {
      give()
      over()
    }
    const body = new Outflow(first, { ...download, ...limits, offset, length, onProgress, open, signal, end })
    return {
      body,
      size: first.size,
      etag: first.etag,
      store: opened.id,
      [Symbol.asyncDispose]: async () => void (await body.return()),
    }
  } catch (error) {
    give()
    const ours = isMullionError(error) && !(signal.aborted && error === signal.reason)
    throw ours ? inContext(error, { attempt: attempts }, false) : error
  }
}

/** A length of 0 is no range a store need know: it is an empty body of an object that is there. */
async function openRead(
  { opened, at, shown }: Download,
  offset: number,
  length: number | undefined,
  signal: AbortSignal,
): Promise<ReadResult> {
  try {
    if (length === 0) return { ...(await orAborted(opened.store.stat(at, { signal }), signal)), body: nothing() }
    return await orAborted(opened.store.read(at, { offset, length, signal }), signal, ({ body }) => void release(body))
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw translated(opened, error, { operation: 'get', location: shown })
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
