import { once } from 'node:events'
import { connect } from 'node:net'
import { defineStore, type StoreMap, type StoreSpec } from 'mullion'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { AppSettings } from '../../src/app.ts'
import type { DataSent } from '../../src/v1/context.ts'
import { readAnswer, request, startServer, type TestServer } from './server.ts'

interface Source {
  readonly size: number | undefined
  body(): AsyncIterable<Uint8Array>
}

/** A store of which every object reads as the source says. */
function reading({ size, body }: Source): StoreMap {
  const plugin = defineStore({
    name: 'reading',
    schemes: ['reading'],
    config: z.object({}),
    location: { parse: (uri: string) => uri, format: (key) => `reading://${key}` },
    open: () => ({
      read: async () => ({ body: body(), size }),
      stat: async () => ({ size }),
      write: async (key: string) => ({ at: key }),
    }),
  })
  return { reading: plugin({}) as StoreSpec<never> }
}

async function serving(
  source: Source,
  recorded: number,
  settings: Partial<AppSettings> = {},
): Promise<{ server: TestServer; id: string; sent: DataSent[] }> {
  const sent: DataSent[] = []
  const server = await startServer({
    settings,
    stores: reading(source),
    ports: { dataSent: (event) => void sent.push(event) },
  })
  const headers = { 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare' }
  const answer = await server.call('POST', '/v1/images', headers)
  const { id } = answer.json.image
  const locations = [{ uri: 'reading://x', metadata: {}, status: 'active' as const }]
  await server.ports.images.update(id, { status: 'active', size: recorded, locations })
  return { server, id, sent }
}

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate)
}

describe('the data of an image on its way (Images v1 §11)', () => {
  it('has the size the store reports, in both headers', async () => {
    const { server, id } = await serving({ size: 5, body: () => pieces('h', 'e', 'l', 'l', 'o') }, 5)
    const answer = await server.call('GET', `/v1/images/${id}`)
    expect(answer.headers).toMatchObject({ 'content-length': '5', 'x-image-meta-size': '5' })
    expect(answer.text).toBe('hello')
  })

  it('has the size of the record when the store reports none', async () => {
    const { server, id, sent } = await serving({ size: undefined, body: () => pieces('hello') }, 5)
    const answer = await server.call('GET', `/v1/images/${id}`)
    expect([answer.headers['content-length'], answer.text]).toEqual(['5', 'hello'])
    await until(() => sent.length === 1)
    expect(sent[0]).toMatchObject({ bytesSent: 5, failure: undefined, destinationIp: '127.0.0.1', image: { id } })
  })

  it.each([
    ['fewer', ['hel']],
    ['more', ['hel', 'lo, ', 'world']],
  ])('breaks the connection when the store delivers %s bytes than announced', async (_, texts) => {
    const { server, id, sent } = await serving({ size: undefined, body: () => pieces(...texts) }, 5)
    const answer = await server.call('GET', `/v1/images/${id}`)
    expect(answer.body.length).toBeLessThan(5) // nothing at all, when the failure is faster than the first packet
    await until(() => sent.length === 1)
    expect(sent[0]?.failure).toEqual(expect.any(String))
  })

  it('breaks the connection when the store fails in the middle', async () => {
    const arrived = Promise.withResolvers<void>()
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('hel')
      await arrived.promise
      throw new Error('/srv/images: I/O error')
    }
    const { server, id, sent } = await serving({ size: 5, body }, 5)
    const socket = connect(server.port, '127.0.0.1')
    socket.write(request('GET', `/v1/images/${id}`))
    socket.once('data', () => arrived.resolve())
    const answer = await readAnswer(socket)
    expect([answer.status, answer.text, answer.octets.includes('/srv')]).toEqual([200, 'hel', false])
    await until(() => sent.length === 1)
    expect(sent[0]).toMatchObject({ bytesSent: 3, failure: expect.any(String) })
  })

  it('stops reading from the store when the client leaves, and waits for a client that is slow', async () => {
    const state = { given: 0, released: false }
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          state.given += 1
          yield Buffer.alloc(1024 * 1024)
        }
      } finally {
        state.released = true
      }
    }
    const size = 1024 ** 4
    const { server, id, sent } = await serving({ size, body }, size)
    const socket = connect(server.port, '127.0.0.1')
    socket.pause()
    socket.write(request('GET', `/v1/images/${id}`))
    let before = -1
    await until(() => state.given > 0)
    // the socket buffers of both sides fill, then nothing more is read
    while (before !== state.given) {
      before = state.given
      for (let turn = 0; turn < 1000; turn += 1) await new Promise(setImmediate)
    }
    expect(state.given).toBeLessThan(64)
    socket.destroy()
    await once(socket, 'close')
    await until(() => state.released && sent.length === 1)
    expect(sent[0]?.failure).toEqual(expect.any(String))
  })

  it('leaves a client that takes nothing for too long', async () => {
    let released = false
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Buffer.alloc(1024 * 1024)
      } finally {
        released = true
      }
    }
    const size = 1024 ** 4
    const { server, id, sent } = await serving({ size, body }, size, { idleTimeoutMs: 50 })
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    socket.pause()
    socket.write(request('GET', `/v1/images/${id}`))
    await until(() => released && sent.length === 1)
    expect(sent[0]?.failure).toEqual(expect.any(String))
    socket.destroy()
  })

  it('aborts a store that does not answer when the client leaves', async () => {
    const state = { asked: false, released: false }
    const body = (): AsyncIterable<Uint8Array> => ({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          state.asked = true
          return new Promise(() => {})
        },
        return: async () => {
          state.released = true
          return { done: true, value: undefined }
        },
      }),
    })
    const { server, id, sent } = await serving({ size: 5, body }, 5)
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    socket.write(request('GET', `/v1/images/${id}`))
    await until(() => state.asked)
    socket.destroy()
    await until(() => state.released && sent.length === 1)
    expect(sent[0]?.bytesSent).toBe(0)
  })
})

describe('the notification image.send', () => {
  it('goes to the notifier when nobody asks for its details', async () => {
    const server = await startServer()
    const headers = { 'x-image-meta-size': '0' }
    const { json } = await server.call('POST', '/v1/images', headers)
    await server.call('GET', `/v1/images/${json.image.id}`)
    await until(() => server.notices.at(-1)?.event === 'send')
    expect(server.notices.at(-1)).toMatchObject({ failure: undefined, image: { id: json.image.id } })
    expect(server.notices.at(-1)?.image).not.toHaveProperty('locations')
  })
})
