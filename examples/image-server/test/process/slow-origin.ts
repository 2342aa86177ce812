import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SlowOrigin {
  readonly url: string
  /** What makes the server copy from loopback, which it refuses otherwise. */
  readonly env: Readonly<Record<string, string>>
  /** Resolves when a download stands in its middle. */
  halfSent(): Promise<void>
  /** Lets every download, this one and later ones, go to its end. */
  open(): void
  close(): Promise<void>
}

/** Serves one object, and stops in its middle until told to go on. */
export async function slowOrigin(content: Buffer): Promise<SlowOrigin> {
  let isOpen = false
  const waiting = new Set<ServerResponse>()
  const half = Promise.withResolvers<void>()
  const rest = content.subarray(content.length / 2)
  const server = createServer((incoming, outgoing) => {
    outgoing.writeHead(200, { 'content-length': content.length, etag: '"one"' })
    if (incoming.method === 'HEAD') return void outgoing.end()
    outgoing.write(content.subarray(0, content.length / 2), () => half.resolve())
    if (isOpen) outgoing.end(rest)
    else waiting.add(outgoing)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/image`,
    env: { MULLION_STORES_HTTP_ALLOW: '["127.0.0.1"]' },
    halfSent: () => half.promise,
    open() {
      isOpen = true
      for (const outgoing of waiting) outgoing.end(rest)
    },
    async close() {
      if (!server.listening) return
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
