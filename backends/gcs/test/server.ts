import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface TestServer extends AsyncDisposable {
  readonly url: URL
  /** Connections so far. */
  readonly sockets: readonly Socket[]
}

/** A server on loopback that answers as it is told. */
export async function serve(answer: RequestListener): Promise<TestServer> {
  const sockets: Socket[] = []
  const server = createServer(answer)
  server.keepAliveTimeout = 0
  server.on('connection', (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    sockets,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
