import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'

const agent = new Agent({ keepAlive: true, maxSockets: 64 })
const CHUNK = 1024 * 1024

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Call {
  readonly method: string
  readonly url: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: Readable | string
}

/** One request; rejects on a status that is no success. */
export async function send(call: Call): Promise<Answer> {
  const response = await open(call)
  const { statusCode: status = 0, headers } = response
  const body = await text(response)
  if (status >= 300) throw new Error(`${call.method} ${call.url}: ${status} ${body}`)
  return { status, headers, body }
}

/** Reads an answer to its end and resolves with the number of bytes; keeps none of them. */
export async function drain(url: string): Promise<number> {
  const response = await open({ method: 'GET', url })
  if (response.statusCode !== 200) throw new Error(`GET ${url}: ${response.statusCode}`)
  let size = 0
  response.on('data', (chunk: Buffer) => {
    size += chunk.byteLength
  })
  await once(response, 'end')
  return size
}

/** `size` bytes that cost the sender nothing: one chunk again and again, random or zeros. */
export function bytes(size: number, kind: 'random' | 'zeros'): Readable {
  const chunk = kind === 'random' ? randomBytes(CHUNK) : Buffer.alloc(CHUNK)
  return Readable.from(repeated(chunk, size), { objectMode: false, highWaterMark: CHUNK })
}

export function closeConnections(): void {
  agent.destroy()
}

async function open({ method, url, headers = {}, body }: Call): Promise<IncomingMessage> {
  const outgoing = request(url, { method, headers, agent })
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
  const sent = body instanceof Readable ? pipeline(body, outgoing) : void outgoing.end(body)
  const [[response]] = await Promise.all([answered, sent])
  return response
}

function* repeated(chunk: Buffer, size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= chunk.byteLength)
    yield left < chunk.byteLength ? chunk.subarray(0, left) : chunk
}
