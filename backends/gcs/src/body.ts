import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { timedOut, transportError } from './errors.ts'

/**
 * The bytes of an answer as a stream that never ends early in silence. `limitMs` bounds the wait for the next bytes while
 * the reader wants some; a slow reader is no idle server. Destroying it, read or not, frees the connection.
 */
export function watchedBody(message: IncomingMessage, limitMs: number, signals: readonly AbortSignal[]): Readable {
  let timer: NodeJS.Timeout | undefined
  const body = new Readable({
    highWaterMark: message.readableHighWaterMark,
    read() {
      clearTimeout(timer)
      timer = setTimeout(() => body.destroy(timedOut('no bytes', limitMs)), limitMs)
      message.resume()
    },
    destroy(error, done) {
      clearTimeout(timer)
      message.destroy()
      done(error)
    },
  })
  body.on('error', () => {}) // nobody may listen before the first read; who reads later is told all the same
  message.pause()
  message.on('data', (chunk: Buffer) => {
    clearTimeout(timer)
    if (!body.push(chunk)) message.pause()
  })
  message.once('end', () => {
    clearTimeout(timer)
    body.push(null)
  })
  message.on('error', (error) => body.destroy(reasonOf(error, signals)))
  message.once('close', () => {
    if (!message.complete) body.destroy(reasonOf(new Error('closed'), signals))
  })
  return body
}

/** At most `limit` bytes of an answer as text; undefined when there are more. */
export async function textOf(
  message: IncomingMessage,
  limit: number,
  limitMs: number,
  signals: readonly AbortSignal[],
): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of watchedBody(message, limitMs, signals)) {
    size += (chunk as Buffer).byteLength
    if (size > limit) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString()
}

function reasonOf(error: Error, signals: readonly AbortSignal[]): Error {
  const stopped = signals.find((each) => each.aborted)
  return stopped ? (stopped.reason as Error) : transportError(error)
}
