import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { getCACertificates } from 'node:tls'
import type { AskIdentity } from '@mullion/swift'
import { KeystoneUnavailable } from './breaker.ts'

export interface TransportOptions {
  /** From the question to the last byte of the answer. */
  readonly timeoutMs: number
  /** PEM of authorities to trust beside the usual ones. */
  readonly ca?: string | undefined
}

export interface Transport {
  readonly ask: AskIdentity
  /** What is under way fails. */
  close(): void
}

const MAX_SOCKETS = 16
const FREE_SOCKET_MS = 4_000 // below what servers and proxies keep a connection for
const MAX_ANSWER = 4 * 1024 * 1024 // a catalog of some hundred regions

/** Questions to Keystone: no redirects, which could lead a token elsewhere, and no retries. Rejects KeystoneUnavailable. */
export function createTransport({ timeoutMs, ca }: TransportOptions): Transport {
  const pool = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: FREE_SOCKET_MS, scheduling: 'lifo' } as const
  const http = new HttpAgent(pool)
  const https = new HttpsAgent({
    ...pool,
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca: [...getCACertificates('default'), ca] }),
  })
  const closing = new AbortController()

  function open(url: string, options: object): ClientRequest {
    return url.startsWith('https:')
      ? requestHttps(url, { ...options, agent: https })
      : requestHttp(url, { ...options, agent: http })
  }

  const ask: AskIdentity = async (wanted) => {
    const late = AbortSignal.timeout(timeoutMs)
    const signal = AbortSignal.any([late, closing.signal])
    const { method, url, headers, body } = wanted
    const request = open(url, { method, headers: { ...headers, 'user-agent': 'mullion-image-server' }, signal })
    try {
      const response = await answerTo(request, body)
      const text = await textOf(response)
      return { status: response.statusCode ?? 0, text, header: (name) => [response.headers[name]].flat()[0] }
    } catch (error) {
      if (late.aborted) throw new KeystoneUnavailable(`keystone: no answer within ${timeoutMs} ms`)
      // a kept connection may be dead by the time it is used again (RFC 9112 §9.3.1)
      if (request.reusedSocket && codeOf(error) === 'ECONNRESET' && !closing.signal.aborted) return ask(wanted)
      throw new KeystoneUnavailable(`keystone: the connection failed: ${codeOf(error)}`)
    } finally {
      request.destroy()
    }
  }

  return {
    ask,
    close() {
      closing.abort()
      http.destroy()
      https.destroy()
    },
  }
}

function answerTo(request: ClientRequest, body: Uint8Array | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve).on('error', reject).end(body)
  })
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_ANSWER) throw new Error('too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** Only the code: messages of the client may repeat headers. */
function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[A-Z0-9_]+$/.test(code) ? code : 'unknown reason'
}
