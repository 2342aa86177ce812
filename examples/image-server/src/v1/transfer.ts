import type { ServerPorts } from './context.ts'

/** What ends one transfer early: its own cause, or the end of the server. Dispose of it when the transfer is over. */
export interface Transfer extends Disposable {
  readonly signal: AbortSignal
  abort(reason: unknown): void
}

/** The server ended before the transfer did. */
export class ServerStopped extends Error {
  override readonly name = 'ServerStopped'
}

/** `what` as in "the server stopped during the upload". */
export function beginTransfer({ stopping }: ServerPorts, what: 'upload' | 'download'): Transfer {
  const controller = new AbortController()
  const stop = (): void => controller.abort(new ServerStopped(`the server stopped during the ${what}`))
  if (stopping?.aborted) stop()
  stopping?.addEventListener('abort', stop)
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]: () => stopping?.removeEventListener('abort', stop),
  }
}
