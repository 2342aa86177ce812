import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { identity, RAW, readAnswer, request, reserved, startServer, type TestServer } from '../v1/server.ts'

const ID = '0b4d2a3c-7c2f-4a53-9d2b-1f1c5a8e9f10'
const UPLOAD = { ...RAW, 'x-image-meta-id': ID }

function open(server: TestServer): Socket {
  return connect(server.port, '127.0.0.1').on('error', () => {})
}

async function status(server: TestServer, wanted: string): Promise<void> {
  for (;;) {
    const image = await server.image(ID).catch(() => undefined)
    if (image?.status === wanted) return
    await new Promise(setImmediate)
  }
}

/** The head of an upload of this many bytes. */
function head(length: number, headers: Record<string, string> = UPLOAD): Buffer {
  return request('POST', '/v1/images', { ...headers, 'content-length': String(length) })
}

describe('a body that breaks off', () => {
  it.each(['destroy', 'end'] as const)('kills the image when the client leaves (%s)', async (leave) => {
    const server = await startServer()
    const socket = open(server)
    socket.write(head(100))
    socket.write('some')
    await status(server, 'saving')
    socket[leave]()
    await status(server, 'killed')
    expect(await server.image(ID)).toMatchObject({
      reason: 'Client disconnected before sending all data to backend',
      locations: [],
    })
    await expect(server.ports.stores.getSizeFromBackend(`memory://${ID}`)).rejects.toMatchObject({ code: 'not_found' })
    expect(server.notices.map(({ event }) => event)).toEqual(['create', 'prepare'])
  })

  it('kills the image when the chunks are broken', async () => {
    const server = await startServer()
    const socket = open(server)
    socket.write(request('POST', '/v1/images', { ...UPLOAD, 'transfer-encoding': 'chunked' }))
    socket.write('4\r\nsome\r\n')
    await status(server, 'saving')
    socket.write('nonsense\r\n')
    await status(server, 'killed')
    expect((await server.image(ID)).reason).toContain('Client disconnected')
    expect(server.notices.map(({ event }) => event)).toEqual(['create', 'prepare'])
  })

  it('kills the image when nothing comes for too long, and says so', async () => {
    const server = await startServer({ settings: { idleTimeoutMs: 50 } })
    const socket = open(server)
    socket.write(head(100))
    socket.write('some')
    const answer = await readAnswer(socket)
    expect([answer.status, answer.headers['connection']]).toEqual([408, 'close'])
    expect(await server.image(ID)).toMatchObject({ status: 'killed', reason: 'client sent nothing for 50 ms' })
  })

  it('does not cost the connection when it is complete', async () => {
    const server = await startServer()
    const socket = open(server)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    for (const close of [{}, {}, { connection: 'close' }] as readonly Record<string, string>[]) {
      const answered = text.length
      socket.write(request('POST', '/v1/images', { ...RAW, ...close, 'content-length': '8' }))
      socket.write('some')
      await new Promise(setImmediate)
      socket.write('data')
      while (!close['connection'] && !text.slice(answered).endsWith('}}')) await once(socket, 'data')
    }
    await once(socket, 'close')
    expect(text.match(/HTTP\/1.1 201 /g)).toHaveLength(3)
  })

  it('takes bytes one by one', async () => {
    const server = await startServer()
    const socket = open(server).setNoDelay(true)
    socket.write(head(5))
    for (const letter of 'hello') {
      socket.write(letter)
      await new Promise(setImmediate)
    }
    expect((await readAnswer(socket)).json.image).toMatchObject({ status: 'active', size: 5 })
  })
})

describe('an answer that comes before the body is complete', () => {
  it.each([
    ['a bad header', 400, { ...UPLOAD, 'x-image-meta-bogus': 'x' }, {}],
    ['no identity', 401, UPLOAD, { auth: 'trusted' }],
    ['a reader', 403, UPLOAD, { allowAnonymousWrites: false }],
    ['the wrong type', 400, { ...UPLOAD, 'content-type': 'text/plain' }, {}],
    ['a path that is not there', 404, UPLOAD, {}],
    ['a size that was not announced', 400, { ...UPLOAD, 'x-image-meta-size': '5' }, {}],
  ] as const)('can be read by a client that goes on sending: %s', async (what, expected, headers, settings) => {
    const server = await startServer({ settings: { ...settings, drainBytes: 64 * 1024 * 1024, drainMs: 30_000 } })
    const size = 8 * 1024 * 1024
    const socket = open(server)
    const path = what.startsWith('a path') ? '/v1/nothing' : '/v1/images'
    socket.write(request('POST', path, { ...headers, 'content-length': String(size) }))
    socket.write(Buffer.alloc(size)) // more than the buffers of both sockets hold
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    const sent = once(socket, 'drain')
    const [failed] = await once(socket, 'close')
    await sent
    expect(failed).toBe(false)
    const text = Buffer.concat(chunks).toString()
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${expected} `))
    expect(text.toLowerCase()).toContain('connection: close')
  })

  it('can be read when the cap is passed in the middle', async () => {
    const server = await startServer({
      settings: { imageSizeCap: 1024, drainBytes: 64 * 1024 * 1024, drainMs: 30_000 },
    })
    const socket = open(server)
    const size = 8 * 1024 * 1024
    socket.write(request('POST', '/v1/images', { ...UPLOAD, 'transfer-encoding': 'chunked' }))
    socket.write(`${size.toString(16)}\r\n`)
    socket.write(Buffer.alloc(size))
    socket.write('\r\n0\r\n\r\n')
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const [failed] = await once(socket, 'close')
    expect(failed).toBe(false)
    expect(text).toMatch(/^HTTP\/1.1 413 [^]*Denying attempt to upload image larger than 1024 bytes\./)
    expect((await server.image(ID)).status).toBe('killed')
  })

  it('comes at once, before anything of the body', async () => {
    const server = await startServer()
    const socket = open(server)
    socket.write(head(1_000_000, { ...UPLOAD, 'x-image-meta-bogus': 'x' }))
    const [first] = (await once(socket, 'data')) as [Buffer]
    expect(first.toString()).toMatch(/^HTTP\/1.1 400 /)
    socket.destroy()
  })

  it('is followed by so many bytes at most', async () => {
    const server = await startServer({ settings: { drainBytes: 64 * 1024, drainMs: 60_000 } })
    const socket = open(server)
    socket.write(head(1024 ** 3, { ...UPLOAD, 'x-image-meta-bogus': 'x' }))
    let sent = 0
    const chunk = Buffer.alloc(64 * 1024)
    while (!socket.destroyed) {
      sent += chunk.length
      if (!socket.write(chunk)) {
        await new Promise<void>((resolve) => {
          socket.once('drain', resolve).once('close', resolve)
        })
      }
    }
    expect(sent).toBeLessThan(64 * 1024 * 1024)
  })

  it('is followed by so much time at most', async () => {
    const server = await startServer({ settings: { drainMs: 50 } })
    const socket = open(server)
    socket.write(head(1_000_000, { ...UPLOAD, 'x-image-meta-bogus': 'x' }))
    socket.resume()
    await once(socket, 'close')
  })

  it('keeps the connection when the refused body is there already', async () => {
    const server = await startServer()
    const socket = open(server)
    const small = request('POST', '/v1/images', { ...UPLOAD, 'x-image-meta-bogus': 'x' }, 'some')
    const answers: string[] = []
    socket.on('data', (chunk: Buffer) => answers.push(chunk.toString()))
    socket.write(Buffer.concat([small, request('GET', '/v1/images', { connection: 'close' })]))
    await once(socket, 'close')
    expect(answers.join('')).toMatch(/^HTTP\/1.1 400 [^]*HTTP\/1.1 200 /)
  })
})

describe('Expect: 100-continue', () => {
  const EXPECT = { expect: '100-continue' }

  it('is answered when the body is wanted, and not before', async () => {
    const server = await startServer()
    const socket = open(server)
    socket.write(head(5, { ...UPLOAD, ...EXPECT }))
    const [interim] = (await once(socket, 'data')) as [Buffer]
    expect(interim.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    expect((await server.image(ID)).status).toBe('saving')
    socket.write('hello')
    expect((await readAnswer(socket)).json.image).toMatchObject({ status: 'active', size: 5 })
  })

  it.each([
    ['a bad header', 400, { 'x-image-meta-bogus': 'x' }],
    ['an unknown store', 400, { 'x-image-meta-store': 'tape' }],
    ['no format', 400, { 'x-image-meta-disk_format': '' }],
    ['the wrong type', 400, { 'content-type': 'text/plain' }],
    ['a store that cannot be written to', 410, { 'x-image-meta-store': 'http' }],
  ])('is refused without it, and the connection is closed: %s', async (_what, expected, headers) => {
    const server = await startServer({ settings: { drainMs: 60_000 } })
    const socket = open(server)
    socket.write(head(5, { ...UPLOAD, ...EXPECT, ...headers }))
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await once(socket, 'close')
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${expected} `))
    expect(text).not.toContain('100 Continue')
  })

  it('is refused by who may not write', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const id = await reserved(server, identity('t1'))
    const socket = open(server)
    socket.write(request('PUT', `/v1/images/${id}`, { ...RAW, ...EXPECT, ...identity('t2'), 'content-length': '5' }))
    expect((await readAnswer(socket)).status).toBe(404)
  })
})
