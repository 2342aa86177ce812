import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { someBytes, web } from './web.ts'

it('closing a store leaves no timer and no socket to stay for', async () => {
  await using waiting = await web(() => {})
  await using flowing = await web((request, response) => {
    response.writeHead(200, { 'Content-Length': 200_000 })
    if (request.method === 'HEAD') response.end()
    else response.write(someBytes(100_000))
  })
  const script = fileURLToPath(new URL('closing-process.ts', import.meta.url))
  const args = ['--conditions=@mullion/source', script, waiting.url, flowing.url]
  // far less than every limit of the store, and it fails when the process must be killed
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 8000 })
  expect(JSON.parse(stdout)).toEqual({ waiting: 'http store: the store was closed', size: 200_000 })
  for (const socket of [...waiting.connections, ...flowing.connections]) {
    if (!socket.closed) await once(socket, 'close')
  }
}, 10_000)
