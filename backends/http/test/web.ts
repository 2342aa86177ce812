import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { StoreEnv } from 'mullion'
import type { Resolve } from '../src/agents.ts'
import { httpConfig } from '../src/config.ts'
import type { HttpConfig, HttpStore } from '../src/index.ts'
import { openHttp } from '../src/store.ts'

export const env: StoreEnv = { id: 'web', now: () => Date.UTC(2026, 0, 1), log: () => {} }

export const never: AbortSignal = new AbortController().signal

/** A store that may reach the loopback network, unless told otherwise. */
export function openStore(config: HttpConfig = {}, resolve?: Resolve): Promise<HttpStore> {
  return openHttp(httpConfig.parse({ allow: ['127.0.0.0/8'], ...config }), env, resolve)
}

export interface Web extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly requests: readonly IncomingMessage[]
  /** Connections ever made. */
  readonly connections: readonly Socket[]
}

/** A web server on a port of the loopback interface. */
export async function web(answer: RequestListener): Promise<Web> {
  const requests: IncomingMessage[] = []
  const connections: Socket[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    response.on('error', () => {})
    answer(request, response)
  })
  server.on('connection', (socket) => connections.push(socket.on('error', () => {})))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    connections,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((done) => server.close(done))
      server.closeAllConnections()
      await closed
    },
  }
}

/** Serves `bytes` with ranges, an ETag and HEAD. */
export function serving(bytes: Uint8Array, etag = '"v1"'): RequestListener {
  return (request, response) => {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const from = Number(first ?? 0)
    const to = Math.min(last ? Number(last) + 1 : bytes.length, bytes.length)
    if (first !== undefined && from >= bytes.length) {
      response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end('no such range')
      return
    }
    const range = first === undefined ? {} : { 'Content-Range': `bytes ${from}-${to - 1}/${bytes.length}` }
    response.writeHead(first === undefined ? 200 : 206, { ETag: etag, 'Content-Length': to - from, ...range })
    response.end(request.method === 'HEAD' ? undefined : bytes.subarray(from, to))
  }
}

export function someBytes(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8)) & 255)
}
