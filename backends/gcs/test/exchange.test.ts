import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { collect, isMullionError } from 'mullion'
import { afterEach, describe, expect, it } from 'vitest'
import { watchedBody } from '../src/body.ts'
import { type Answer, type Ask, createExchange, type Exchange } from '../src/exchange.ts'
import { serve } from './server.ts'

const never = new AbortController().signal
const LIMITS = { connectTimeoutMs: 5000, responseTimeoutMs: 5000, idleTimeoutMs: 5000 }

let exchange: Exchange
afterEach(() => exchange.close())

function ask(url: URL, more: Partial<Ask> = {}, limits: Partial<typeof LIMITS> = {}): Promise<Answer> {
  exchange = createExchange({ ...LIMITS, ...limits })
  return exchange.ask({ method: 'GET', url, headers: {}, signal: never, ...more })
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (isMullionError(error) ? error.code : error),
  )

describe('exchange', () => {
  it('sends a body whole and answers whatever the status is', async () => {
    let received = 0
    await using server = await serve((request, response) => {
      request.on('data', (chunk: Buffer) => {
        received += chunk.length
      })
      request.on('end', () => response.writeHead(308, { range: 'bytes=0-9' }).end())
    })
    const { status, headers, stream } = await ask(server.url, { method: 'PUT', body: new Uint8Array(3_000_000) })
    stream.resume()
    expect([status, headers.range, received]).toEqual([308, 'bytes=0-9', 3_000_000])
  })

  it('tells who waits of every piece that leaves, and of an answer that does not come', async () => {
    await using server = await serve((request) => void request.resume())
    let told = 0
    const asked = { method: 'PUT', body: new Uint8Array(3_000_000), alive: () => void (told += 1) } as const
    const waiting = ask(server.url, asked, { responseTimeoutMs: 50 })
    expect(await codeOf(waiting)).toBe('timeout')
    const slices = Math.ceil(3_000_000 / (256 * 1024))
    expect(told).toBe(1 + slices + 1 + 1) // connection, slices, the wait for the answer and its end
  })

  it('gives up on a server that takes no connection', async () => {
    await using server = await serve(() => {})
    // TLS to a server that speaks none and waits
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve))
    const url = new URL(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`)
    expect(await codeOf(ask(url, {}, { connectTimeoutMs: 50 }))).toBe('timeout')
    silent.close()
    expect(server.sockets).toHaveLength(0)
  })

  it('gives up on a server that does not answer', async () => {
    await using server = await serve(() => {})
    expect(await codeOf(ask(server.url, {}, { responseTimeoutMs: 50 }))).toBe('timeout')
  })

  it('gives up on a server that takes no more bytes', async () => {
    await using server = await serve((request) => void request.pause())
    const body = new Uint8Array(64 * 1024 * 1024)
    expect(await codeOf(ask(server.url, { method: 'PUT', body }, { idleTimeoutMs: 100 }))).toBe('timeout')
  })

  it('hears a server that answers before it has the whole body', async () => {
    await using server = await serve((_, response) => void response.writeHead(412).end('no'))
    const body = new Uint8Array(64 * 1024 * 1024)
    const { status, stream } = await ask(server.url, { method: 'PUT', body })
    expect(status).toBe(412)
    expect(String(Buffer.from(await collect(watchedBody(stream, 5000, []))))).toBe('no')
  })

  it('says unavailable when nobody listens', async () => {
    const { url } = await serve(() => {}).then(async (server) => {
      await server[Symbol.asyncDispose]()
      return server
    })
    expect(await codeOf(ask(url))).toBe('unavailable')
  })

  it('stops with the reason of the caller while it waits', async () => {
    const caller = new AbortController()
    const reason = new Error('enough')
    await using server = await serve(() => caller.abort(reason))
    expect(await codeOf(ask(server.url, { signal: caller.signal }))).toBe(reason)
    expect(await codeOf(exchange.ask({ method: 'GET', url: server.url, headers: {}, signal: caller.signal }))).toBe(
      reason,
    )
  })

  it('ends what is in flight when it closes, and leaves no connection', async () => {
    const inFlight = Promise.withResolvers<void>()
    await using server = await serve((request, response) => {
      if (request.url === '/kept') response.end()
      else inFlight.resolve()
    })
    const kept = await ask(new URL('kept', server.url))
    await collect(kept.stream)
    const waiting = codeOf(exchange.ask({ method: 'GET', url: server.url, headers: {}, signal: never }))
    await inFlight.promise
    exchange.close()
    expect(await waiting).toBe('closed')
    const gone = (socket: Socket): Promise<unknown> => (socket.destroyed ? Promise.resolve() : once(socket, 'close'))
    await Promise.all(server.sockets.map(gone))
  })

  it('asks again when a kept connection turns out to be closed, unless that could do something twice', async () => {
    const seen: string[] = []
    await using server = await serve((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      const isSecond = seen.length % 2 === 0
      if (isSecond && !request.url?.endsWith('fresh')) request.socket.resetAndDestroy()
      else response.end()
    })
    await collect((await ask(server.url)).stream)
    const again = await exchange.ask({ method: 'DELETE', url: new URL('a', server.url), headers: {}, signal: never })
    await collect(again.stream)
    expect(seen).toEqual(['GET /', 'DELETE /a', 'DELETE /a'])
    const put = exchange.ask({ method: 'PUT', url: new URL('b', server.url), headers: {}, signal: never })
    expect(await codeOf(put)).toBe('unavailable')
    expect(seen).toEqual(['GET /', 'DELETE /a', 'DELETE /a', 'PUT /b'])
  })
})

describe('the body of an answer', () => {
  it('that breaks on a kept connection is not asked for again behind the back of its reader', async () => {
    let asked = 0
    await using server = await serve((request, response) => {
      asked += 1
      if (asked === 1) return void response.end()
      response.writeHead(200, { 'content-length': 100 })
      response.write('ten bytes.', () => request.socket.resetAndDestroy())
    })
    await collect((await ask(server.url)).stream)
    const { stream } = await exchange.ask({ method: 'GET', url: server.url, headers: {}, signal: never })
    expect(await codeOf(collect(watchedBody(stream, 5000, [])))).toBe('unavailable')
    expect(server.sockets).toHaveLength(1)
    expect(asked).toBe(2)
  })

  it('that breaks before anybody reads it tells who reads it later, and ends no process', async () => {
    await using server = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 1000 })
      response.write(Buffer.alloc(100), () => request.socket.resetAndDestroy())
    })
    const { stream } = await ask(server.url)
    const body = watchedBody(stream, 5000, [])
    await new Promise<void>((resolve) => void body.once('close', resolve))
    expect(await codeOf(collect(body))).toBe('unavailable')
  })

  it('fails when the connection ends before its announced length', async () => {
    await using server = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('ten bytes.', () => response.destroy())
    })
    const { stream } = await ask(server.url)
    expect(await codeOf(collect(watchedBody(stream, 5000, [])))).toBe('unavailable')
  })

  it('fails when no more bytes come while somebody wants them', async () => {
    await using server = await serve((_, response) => void response.writeHead(200).write('some'))
    const { stream } = await ask(server.url)
    expect(await codeOf(collect(watchedBody(stream, 50, [])))).toBe('timeout')
  })

  it('waits for a slow reader', async () => {
    const size = 8 * 1024 * 1024
    await using server = await serve((_, response) => void response.end(Buffer.alloc(size)))
    const { stream } = await ask(server.url)
    const limitMs = 100
    const body = watchedBody(stream, limitMs, [])
    let count = 0
    let isFirst = true
    for await (const chunk of body) {
      count += (chunk as Buffer).length
      if (isFirst) await new Promise((resolve) => setTimeout(resolve, 3 * limitMs))
      isFirst = false
    }
    expect(count).toBe(size)
  })

  it('ends with the reason of the caller, and frees its connection', async () => {
    await using server = await serve((_, response) => void response.writeHead(200).write('some'))
    const caller = new AbortController()
    const { stream } = await ask(server.url, { signal: caller.signal })
    const reason = new Error('enough')
    const body = watchedBody(stream, 5000, [caller.signal])
    const read = codeOf(collect(body))
    caller.abort(reason)
    expect(await read).toBe(reason)
    expect(stream.destroyed).toBe(true)
  })

  it('frees its connection when nobody reads it', async () => {
    await using server = await serve((_, response) => void response.end(Buffer.alloc(8 * 1024 * 1024)))
    const { stream } = await ask(server.url)
    const closed = new Promise((resolve) => server.sockets[0]?.once('close', resolve))
    watchedBody(stream, 5000, []).destroy()
    await closed
  })
})
