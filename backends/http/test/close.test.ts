import type { Readable } from 'node:stream'
import { collect } from 'mullion'
import { describe, expect, it } from 'vitest'
import { httpLocation } from '../src/location.ts'
import { never, openStore, serving, someBytes, type Web, web } from './web.ts'

const bytes = someBytes(100_000)
const silent = () => web(() => {})
const half = () => web((_, response) => void response.writeHead(200, { 'Content-Length': 200_000 }).write(bytes))
const whole = { offset: 0, length: undefined, signal: never }

async function allClosed({ connections }: Web): Promise<void> {
  await Promise.all(
    connections.map(
      async (socket) => void (socket.closed || (await new Promise((done) => socket.once('close', done)))),
    ),
  )
}

describe('limits in time', () => {
  it('ends the wait for an answer', async () => {
    await using site = await silent()
    const store = await openStore({ responseTimeoutMs: 50 })
    const expected = { code: 'timeout', retryable: true, details: { limitMs: 50 } }
    await expect(store.read(httpLocation.parse(site.url), whole)).rejects.toMatchObject(expected)
    await expect(store.stat(httpLocation.parse(site.url), { signal: never })).rejects.toMatchObject(expected)
    await allClosed(site)
    await store.close()
  })

  it('ends the wait for more bytes', async () => {
    await using site = await half()
    const store = await openStore({ idleTimeoutMs: 50 })
    const { body, size } = await store.read(httpLocation.parse(site.url), whole)
    expect(size).toBe(200_000)
    let seen = 0
    const reading = (async () => {
      for await (const chunk of body) seen += chunk.length
    })()
    await expect(reading).rejects.toMatchObject({ code: 'timeout', details: { limitMs: 50 } })
    expect(seen).toBe(100_000)
    await allClosed(site)
    await store.close()
  })

  it('does not count the time that the reader takes', async () => {
    await using site = await web(serving(someBytes(2_000_000)))
    const store = await openStore({ idleTimeoutMs: 30 })
    const { body } = await store.read(httpLocation.parse(site.url), whole)
    let seen = 0
    for await (const chunk of body) {
      if (seen === 0) await new Promise((done) => setTimeout(done, 90))
      seen += chunk.length
    }
    expect(seen).toBe(2_000_000)
    await store.close()
  })

  it('counts the wait for a free connection', async () => {
    await using site = await silent()
    const store = await openStore({ responseTimeoutMs: 50, maxConnections: 1 })
    const all = [1, 2].map(() => store.stat(httpLocation.parse(site.url), { signal: never }))
    const results = await Promise.allSettled(all)
    expect(results).toMatchObject([{ reason: { code: 'timeout' } }, { reason: { code: 'timeout' } }])
    await store.close()
  })
})

describe('aborting', () => {
  it.each(['read', 'stat'] as const)('a %s that waits rejects with the reason itself', async (verb) => {
    await using site = await silent()
    const store = await openStore()
    const controller = new AbortController()
    const reason = { my: 'reason' }
    const call = store[verb](httpLocation.parse(site.url), { ...whole, signal: controller.signal })
    controller.abort(reason)
    await expect(call).rejects.toBe(reason)
    await allClosed(site)
    await store.close()
  })

  it('before it starts asks nobody', async () => {
    await using site = await silent()
    const store = await openStore()
    const signal = AbortSignal.abort(new Error('too late'))
    await expect(store.read(httpLocation.parse(site.url), { ...whole, signal })).rejects.toThrow('too late')
    expect(site.connections).toHaveLength(0)
    await store.close()
  })

  it('a body ends it with the reason and closes the connection', async () => {
    await using site = await half()
    const store = await openStore()
    const controller = new AbortController()
    const { body } = await store.read(httpLocation.parse(site.url), { ...whole, signal: controller.signal })
    const reason = new Error('enough')
    const reading = collect(body)
    controller.abort(reason)
    await expect(reading).rejects.toBe(reason)
    await allClosed(site)
    await store.close()
  })

  it('afterwards changes nothing, and leaves no listener', async () => {
    await using site = await web(serving(bytes))
    const store = await openStore()
    const controller = new AbortController()
    const { signal } = controller
    let listeners = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...rest: Parameters<typeof addEventListener>) => {
      listeners += 1
      addEventListener.apply(signal, rest)
    }
    signal.removeEventListener = (...rest: Parameters<typeof removeEventListener>) => {
      listeners -= 1
      removeEventListener.apply(signal, rest)
    }
    const { body } = await store.read(httpLocation.parse(site.url), { ...whole, signal })
    expect(listeners).toBe(1)
    await collect(body)
    expect(listeners).toBe(0)
    await store.close()
  })
})

describe('a body nobody wants', () => {
  it('frees its connection when destroyed unread', async () => {
    await using site = await half()
    const store = await openStore()
    const { body } = await store.read(httpLocation.parse(site.url), whole)
    ;(body as Readable).destroy()
    await allClosed(site)
    await store.close()
  })

  it('does not crash the process when the connection breaks before it is read', async () => {
    await using site = await half()
    const store = await openStore()
    const { body } = await store.read(httpLocation.parse(site.url), whole)
    site.connections[0]?.resetAndDestroy()
    await allClosed(site)
    await expect(collect(body)).rejects.toMatchObject({ code: 'unavailable' })
    await store.close()
  })
})

describe('closing the store', () => {
  it('ends what is in flight with closed, waiting requests too', async () => {
    await using site = await silent()
    await using flowing = await half()
    const store = await openStore({ maxConnections: 1 })
    const { body } = await store.read(httpLocation.parse(flowing.url), whole)
    const calls = [1, 2, 3].map(() => store.stat(httpLocation.parse(site.url), { signal: never }))
    const results = Promise.allSettled([...calls, collect(body)])
    await store.close()
    for (const result of await results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'closed' } })
    await expect(store.stat(httpLocation.parse(site.url), { signal: never })).rejects.toMatchObject({ code: 'closed' })
    await allClosed(site)
    expect(site.connections.length).toBeLessThan(2)
  })
})
