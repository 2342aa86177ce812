import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'

export interface Received {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly id: string
}

export interface Receiver {
  readonly url: string
  /** In order; those that were answered with an error as well. */
  readonly received: readonly Received[]
  /** Connections there ever were, and those that are open. */
  readonly connections: { total: number; open: number }
}

/** An HTTP server that does what `answer` does with its `n`th request, from 1. Default: it takes all. */
export async function startReceiver(
  answer: (response: ServerResponse, n: number) => unknown = (response) => response.writeHead(204).end(),
): Promise<Receiver> {
  const received: Received[] = []
  const connections = { total: 0, open: 0 }
  const server = createServer((request, response) => {
    const { method, url: path, headers } = request
    const take = (body: string): void => {
      received.push({ method, path, headers, body, id: String(headers['webhook-id']) })
      answer(response, received.length)
    }
    text(request).then(take, () => {}) // a client that leaves was not received
  })
  server.on('connection', (socket) => {
    connections.total += 1
    connections.open += 1
    socket.on('close', () => (connections.open -= 1))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=q`, received, connections }
}

/** What a receiver computes that knows the secret, in the words of the Standard Webhooks specification. */
export function expectedSignature(secret: string, { headers, body }: Received): string {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
}
