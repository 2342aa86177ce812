import { createReadStream, createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'

/**
 * What the hardware and node:http allow: bytes go to the same disk and back without digests, records or checks, and a
 * stored answer is given again. Durable like the file store: a file is flushed before the answer.
 */
const [directory = '.'] = process.argv.slice(2)
const highWaterMark = 1024 * 1024
const replies = new Map<string, { readonly type: string; readonly body: Buffer }>()

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, kind, name = ''] = (request.url ?? '/').split('/')
  const path = join(directory, name)
  if (kind === 'replies') {
    replies.set(name, { type: request.headers['content-type'] ?? 'text/plain', body: await buffer(request) })
    response.writeHead(201).end()
  } else if (kind === 'reply') {
    const { type, body } = replies.get(name) ?? { type: 'text/plain', body: Buffer.alloc(0) }
    response.writeHead(200, { 'content-type': type, 'content-length': body.byteLength }).end(body)
  } else if (request.method === 'PUT') {
    await pipeline(request, createWriteStream(path, { highWaterMark, flush: true }))
    response.writeHead(201).end()
  } else if (request.method === 'DELETE') {
    await rm(path)
    response.writeHead(200).end()
  } else {
    const { size } = await stat(path)
    response.writeHead(200, { 'content-length': size })
    await pipeline(createReadStream(path, { highWaterMark }), response)
  }
}

const server = createServer((request, response) => {
  handle(request, response).catch((error: unknown) => {
    console.error(error)
    response.destroy()
  })
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
