import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { buildApp } from '../../src/app.ts'
import { RAW, request, SETTINGS, startServer } from '../v1/server.ts'

it('closing waits for the answer to a busy connection, and not for its client to leave', async () => {
  const { ports } = await startServer()
  const app = buildApp(ports, SETTINGS)
  onTestFinished(() => app.server.closeAllConnections())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const prepared = Promise.withResolvers<void>()
  Object.assign(ports.notifier, { notify: (event: string) => event === 'prepare' && prepared.resolve() })

  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
  const octets = request('POST', '/v1/images', RAW, 'hello world')
  socket.write(octets.subarray(0, -5))
  await prepared.promise
  const closed = app.close()
  socket.write(octets.subarray(-5))
  await Promise.all([closed, once(socket, 'close')])
  expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 201 [^]*"status":"active"/)
})
