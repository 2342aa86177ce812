import type { IncomingHttpHeaders } from 'node:http'
import { type Answer, within } from './exchange.ts'
import { type Refusal, transportError } from './errors.ts'

/** An answer whose body was read, or was of no interest. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** As with `Answer`. */
  readonly isRepeated?: boolean
}

/** More than what a server says of an error, or of 10,000 names in a listing. */
const MAX_TEXT = 16 * 1024 * 1024

/**
 * Reads the answer whole; `limitMs` bounds the wait for each piece, as Swift sends blanks while a bulk deletion takes its
 * time (swift common/middleware/bulk.py, `yield_frequency`). Rejects `timeout`, `unavailable`.
 */
export async function replyOf(answer: Answer, limitMs: number): Promise<Reply> {
  const { stream, ...rest } = answer
  try {
    return { ...rest, text: await textOf(stream, limitMs) }
  } catch (error) {
    throw transportError(error)
  } finally {
    stream.destroy()
  }
}

/** The header as one text. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

export function refusalOf({ status, headers, text }: Reply): Refusal {
  return { status, retryAfter: headerOf(headers, 'retry-after'), text: text.slice(0, 500) }
}

/** Without the quotes that some servers put around it. */
export function etagOf(headers: IncomingHttpHeaders): string | undefined {
  return headers.etag?.replace(/^"(.*)"$/, '$1').toLowerCase()
}

/** Digits only: Number() would also take 1e9, 0x10 and blanks. */
export function integer(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

async function textOf(stream: AsyncIterable<Uint8Array>, limitMs: number): Promise<string> {
  const iterator = stream[Symbol.asyncIterator]()
  const chunks: Uint8Array[] = []
  let length = 0
  while (length <= MAX_TEXT) {
    const { done, value } = await within(iterator.next(), limitMs)
    if (done) break
    length += value.byteLength
    chunks.push(value)
  }
  return Buffer.concat(chunks).toString()
}
