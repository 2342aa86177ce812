import { once } from 'node:events'
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { cloudEvent } from './cloud-event.ts'
import { type SigningKey, signature } from './signature.ts'
import { DeliveryFailure, type Parcel, type Transport } from './transport.ts'

export interface WebhookOptions {
  /** http or https; a user and password in it become Basic authentication. */
  readonly url: string
  /** At least one. The receiver takes a notification when it knows any of them, so that keys can be replaced. */
  readonly keys: readonly SigningKey[]
  /** Certificates to trust, in PEM. Default: the usual authorities. */
  readonly ca?: readonly string[] | undefined
}

/** Bytes of an answer that are read, so that its connection can be used again. */
const MAX_ANSWER = 64 * 1024

/** Posts CloudEvents to one URL, signed as the Standard Webhooks specification says. Redirects are not followed. */
export function webhook({ url, keys, ca }: WebhookOptions): Transport {
  const target = new URL(url)
  const secure = target.protocol === 'https:'
  const request = secure ? httpsRequest : httpRequest
  // one connection, because notifications go one after the other
  const agent = secure
    ? new HttpsAgent({ keepAlive: true, maxSockets: 1, ...(ca && { ca: [...ca] }) })
    : new HttpAgent({ keepAlive: true, maxSockets: 1 })
  return {
    name: `webhook ${target.origin}`,
    encode: (notification) => Buffer.from(JSON.stringify(cloudEvent(notification))),
    async deliver(parcel, signal) {
      const sent = request(target, { method: 'POST', agent, signal, headers: headersOf(parcel, keys) })
      sent.end(parcel.body)
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      sent.on('error', () => {}) // the status has been said: what happens to the rest of the answer does not matter
      await forget(answer)
      judge(answer)
    },
    async close() {
      agent.destroy()
    },
  }
}

function headersOf({ messageId, body }: Parcel, keys: readonly SigningKey[]): Record<string, string | number> {
  const seconds = Math.floor(Date.now() / 1000) // of this try: receivers refuse old ones (Standard Webhooks, timestamp)
  return {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'content-length': body.byteLength,
    'user-agent': 'mullion-image-server',
    'webhook-id': messageId,
    'webhook-timestamp': seconds,
    'webhook-signature': keys.map((key) => signature(key, messageId, seconds, body)).join(' '),
  }
}

async function forget(answer: IncomingMessage): Promise<void> {
  let bytes = 0
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength
      if (bytes > MAX_ANSWER) return // leaving the loop destroys the answer and its connection
    }
  } catch {
    // cut short: its status counts all the same
  }
}

/** Standard Webhooks: 2xx is the only success. Of the refusals only those that speak of time or load are tried again. */
function judge({ statusCode = 0, headers }: IncomingMessage): void {
  if (statusCode >= 200 && statusCode < 300) return
  const mayPass = statusCode === 408 || statusCode === 429 || statusCode >= 500
  const redirected = statusCode >= 300 && statusCode < 400
  throw new DeliveryFailure(`answered ${statusCode}${redirected ? ': redirects are not followed' : ''}`, {
    final: !mayPass,
    retryAfterMs: retryAfter(headers['retry-after']),
  })
}

/** RFC 9110 §10.2.3: seconds or a date. */
function retryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : Math.max(0, time - Date.now())
}
