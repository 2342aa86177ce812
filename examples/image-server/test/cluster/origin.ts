import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { seededBytes } from 'mullion/testkit'

export const ORIGIN_DATA: Uint8Array = seededBytes(7, 300_000)

/** A web server with one image at `/data`, for copies. It takes its time, so that some copies meet the end of a server. */
export async function startOrigin(): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((request, response) => {
    response.setHeader('content-length', ORIGIN_DATA.length).setHeader('etag', '"1"')
    if (request.method === 'HEAD') return void response.end()
    response.write(ORIGIN_DATA.subarray(0, 100_000))
    setTimeout(() => response.end(ORIGIN_DATA.subarray(100_000)), 150)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/data`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
