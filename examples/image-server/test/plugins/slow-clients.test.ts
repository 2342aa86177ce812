import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createHttpServer } from '../../src/plugins/http-server.ts'
import { startServer } from '../v1/server.ts'

describe('S-43: slow clients', () => {
  it('that drip their headers lose the connection after a while, however steadily they drip', async () => {
    const times = { headersTimeout: 300, connectionsCheckingInterval: 50 }
    const server = createHttpServer((_request, response) => void response.end(), times)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.on('error', () => {})
    const closed = once(socket, 'close')
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n')
    let said = ''
    socket.on('data', (data) => (said += data.toString()))
    while (!socket.destroyed) {
      socket.write('X-Drip: 1\r\n')
      await delay(20)
    }
    await closed
    expect(said === '' || said.startsWith('HTTP/1.1 408')).toBe(true)
  })

  it('have a minute for their headers and all the time they need for a body', async () => {
    const server = createHttpServer(() => {})
    expect([server.headersTimeout, server.requestTimeout]).toEqual([60_000, 0])
  })

  it('hold no request that others wait for', async () => {
    const server = await startServer()
    const held = Array.from({ length: 50 }, () => {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write('GET /v1/images HTTP/1.1\r\nHost: x\r\nX-Half: ')
      return socket
    })
    await Promise.all(held.map((socket) => once(socket, 'connect')))
    expect((await server.call('GET', '/v1/images')).status).toBe(200)
    for (const socket of held) socket.destroy()
  })
})
