import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Remote {
  readonly url: string
  /** Methods and paths, in order. */
  readonly requests: readonly string[]
}

/**
 * A web server with images: `/data` is 11 bytes, `/chunked` the same without a length, `/403` is refused, `/short`
 * breaks off, the rest is not there.
 */
export async function startRemote(): Promise<Remote> {
  const requests: string[] = []
  const server = createServer(({ method, url }, response) => {
    requests.push(`${method} ${url}`)
    if (url === '/data') response.setHeader('content-length', 11).end(method === 'HEAD' ? '' : 'hello world')
    else if (url === '/chunked') response.writeHead(200).end(method === 'HEAD' ? '' : 'hello world')
    else if (url === '/403') response.writeHead(403).end()
    else if (url === '/short') {
      response.setHeader('content-length', 11)
      if (method === 'HEAD') response.end()
      else response.write('hello', () => response.destroy())
    } else response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

/** A URL at which nobody answers. */
export async function deadUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}/data`
}
