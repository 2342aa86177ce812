import type { IncomingMessage, ServerResponse } from 'node:http'

/** The client went away, or broke the framing, before its request was complete. */
export class ClientDisconnected extends Error {
  override readonly name = 'ClientDisconnected'

  constructor(cause?: unknown, message = 'Client disconnected before sending all data to backend') {
    super(message, cause === undefined ? undefined : { cause })
  }
}

/** The client stopped sending in the middle of its body. */
export class BodyIdle extends Error {
  override readonly name = 'BodyIdle'
  readonly limitMs: number

  constructor(limitMs: number) {
    super(`client sent nothing for ${limitMs} ms`)
    this.limitMs = limitMs
  }
}

/** Requests whose body broke off. */
const broken = new WeakSet<IncomingMessage>()

/** Whether reading the body ended in `ClientDisconnected`. */
export function brokeOff(request: IncomingMessage): boolean {
  return broken.has(request)
}

/** Requests whose client waits for `100 Continue` before it sends its body. */
const held = new WeakSet<IncomingMessage>()

/** Marks a request that came through `checkContinue`: the interim answer is sent when its body is first read. */
export function holdContinue(request: IncomingMessage): void {
  held.add(request)
}

/** Whether the client still waits for the interim answer, so that nothing of its body is under way. */
export function awaitsContinue(request: IncomingMessage): boolean {
  return held.has(request)
}

/** Whether the request announced a body of which something may not have arrived yet. */
export function hasUnreadBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers
  return !request.complete && (coding !== undefined || Number(length ?? 0) > 0)
}

/**
 * The body as it arrives. Leaving early does not destroy the request, so that an answer can still be read. Throws
 * `ClientDisconnected` when the client leaves, `BodyIdle` when it sends nothing for that long; 0 waits for ever. The
 * time in which nobody asks for a chunk does not count.
 */
export function requestBody(
  request: IncomingMessage,
  response: ServerResponse,
  idleTimeoutMs: number,
): AsyncIterableIterator<Buffer, undefined> {
  return new RequestBody(request, response, idleTimeoutMs)
}

const EVENTS = ['readable', 'end', 'error', 'close'] as const
const DONE: IteratorResult<Buffer, undefined> = { done: true, value: undefined }

/** Not a generator: leaving must take effect while it waits for the client. */
class RequestBody implements AsyncIterableIterator<Buffer, undefined> {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #idleTimeoutMs: number
  #begun = false
  #left = false
  #waiter: PromiseWithResolvers<void> | undefined
  readonly #ring = (): void => this.#waiter?.resolve()

  constructor(request: IncomingMessage, response: ServerResponse, idleTimeoutMs: number) {
    this.#request = request
    this.#response = response
    this.#idleTimeoutMs = idleTimeoutMs
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    this.#begin()
    while (!this.#left) {
      const chunk: Buffer | null = this.#request.read()
      if (chunk !== null) return { done: false, value: chunk }
      if (this.#request.readableEnded) break
      if (this.#request.destroyed) {
        await this.return()
        throw disconnected(this.#request)
      }
      await this.#rings()
    }
    return this.return()
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#left = true
    for (const event of EVENTS) this.#request.off(event, this.#ring)
    this.#ring()
    return DONE
  }

  #begin(): void {
    if (this.#begun) return
    this.#begun = true
    if (held.delete(this.#request)) this.#response.writeContinue()
    for (const event of EVENTS) this.#request.on(event, this.#ring)
  }

  async #rings(): Promise<void> {
    const waiter = Promise.withResolvers<void>()
    this.#waiter = waiter
    const limit = this.#idleTimeoutMs
    const timer = limit === 0 ? undefined : setTimeout(() => waiter.reject(new BodyIdle(limit)), limit)
    try {
      await waiter.promise
    } finally {
      clearTimeout(timer)
    }
  }
}

function disconnected(request: IncomingMessage): ClientDisconnected {
  broken.add(request)
  return new ClientDisconnected(request.errored ?? undefined)
}

/** Reads and forgets what still arrives, until the body ends, `bytes` have passed or `ms` are over. */
export function drain(request: IncomingMessage, bytes: number, ms: number): Promise<void> {
  if (request.destroyed || request.readableEnded) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = bytes
  const take = (chunk: Buffer): void => {
    left -= chunk.length
    if (left < 0) resolve()
  }
  const timer = setTimeout(resolve, ms)
  request.on('data', take).once('end', resolve).once('close', resolve).once('error', resolve)
  return promise.finally(() => {
    clearTimeout(timer)
    request.pause().off('data', take).off('end', resolve).off('close', resolve)
  })
}
