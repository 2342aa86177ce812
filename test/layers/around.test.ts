import { collect } from 'mullion'
import { around, type Call, layered } from 'mullion/layers'
import { createStores, memory } from 'mullion'
import { describe, expect, it } from 'vitest'
import { behind, call, chunks, deferred, destroy, releasable, settle, storeOf, writeOptions } from './fixture.ts'

/** Records when calls begin and end. */
function recording(log: string[], name = ''): ReturnType<typeof around> {
  return around(async ({ op }, next) => {
    log.push(`${name}${op} begins`)
    try {
      return await next()
    } finally {
      log.push(`${name}${op} ends`)
    }
  })
}

describe('around', () => {
  it('keeps functions absent that the store lacks', () => {
    const store = behind(
      recording([]),
      storeOf(() => chunks()),
    )
    expect(Object.keys(store).toSorted()).toEqual(['read', 'stat'])
  })

  it('runs around every function, and leaves owns and close alone', async () => {
    const log: string[] = []
    const owns = (): boolean => true
    const next = storeOf(() => chunks(), {
      write: async (key, body) => (await collect(body), { at: key }),
      remove: async () => {},
      setAcls: async () => {},
      owns,
    })
    const store = behind(recording(log), next)
    await store.stat('x', call())
    await store.write?.('key', chunks(1), writeOptions())
    await store.remove?.('x', call())
    await store.setAcls?.('x', { public: true, readers: [], writers: [] }, call())
    expect(log.filter((line) => line.endsWith('ends'))).toEqual([
      'stat ends',
      'write ends',
      'remove ends',
      'setAcls ends',
    ])
    expect(store.owns).toBe(owns)
    expect(store.close).toBeUndefined()
  })

  it('ends a read when its body ends, fails, is left or is destroyed unread', async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.of(1)
      throw new Error('broken')
    }
    const log: string[] = []
    const store = behind(
      recording(log),
      storeOf(() => (log.length > 2 ? failing() : chunks(1, 1))),
    )
    const first = await store.read('x', call())
    await settle()
    expect(log).toEqual(['read begins'])
    await collect(first.body)
    await settle()
    expect(log).toEqual(['read begins', 'read ends'])
    await store.read('x', call()).then(async ({ body }) => {
      for await (const _ of body) break
    })
    await store.read('x', call()).then(({ body }) => expect(collect(body)).rejects.toThrow('broken'))
    await store.read('x', call()).then(({ body }) => destroy(body))
    await settle()
    expect(log.filter((line) => line === 'read ends')).toHaveLength(4)
  })

  it('rejects a read that it does not let through, without opening it', async () => {
    let opened = 0
    const refusal = new Error('not today')
    const layer = around(() => Promise.reject(refusal))
    const store = behind(
      layer,
      storeOf(() => (opened++, chunks())),
    )
    await expect(store.read('x', call())).rejects.toBe(refusal)
    expect(opened).toBe(0)
  })

  it('releases a body that comes after it gave up', async () => {
    const body = releasable()
    const opening = deferred()
    const gaveUp = new Error('gave up')
    const layer = around(async (_, next) => {
      next().catch(() => {})
      throw gaveUp
    })
    const store = behind(layer, {
      ...storeOf(() => body),
      read: () => opening.promise.then(() => ({ body, size: 1 })),
    })
    await expect(store.read('x', call())).rejects.toBe(gaveUp)
    expect(body.released).toBe(false)
    opening.resolve()
    await settle()
    expect(body.released).toBe(true)
  })

  it('passes bodies untouched when it ignores the transfer, or is switched off', async () => {
    const body = chunks(1)
    const source = chunks(2)
    const taken: unknown[] = []
    const next = storeOf(() => body, { write: async (key, given) => (taken.push(given), { at: key }) })
    const pass = <T>(_: Call, run: () => Promise<T>): Promise<T> => run()
    for (const layer of [
      around(pass, { transfer: 'ignored' }),
      around(pass, { transfer: 'counted', enabled: () => false }),
    ]) {
      const store = behind(layer, next)
      expect((await store.read('x', call())).body).toBe(body)
      await store.write?.('key', source, writeOptions())
    }
    expect(taken).toEqual([source, source])
  })

  it('counts bytes in both directions when asked to', async () => {
    const counts: [string, number][] = []
    const counting = around(
      async (made, next) => {
        try {
          return await next()
        } finally {
          counts.push([made.op, made.bytes])
        }
      },
      { transfer: 'counted' },
    )
    const next = storeOf(() => chunks(1, 1, 5), { write: async (key, body) => (await collect(body), { at: key }) })
    const store = behind(counting, next)
    await collect((await store.read('x', call())).body)
    await store.write?.('key', chunks(3, 1), writeOptions())
    await settle()
    expect(counts).toEqual([
      ['read', 7],
      ['write', 4],
    ])
  })
})

describe('layered', () => {
  it('puts the first listed outermost, and outside the layers the spec had', async () => {
    const log: string[] = []
    const inner = layered(memory(), recording(log, 'c '))
    const spec = layered(inner, recording(log, 'a '), recording(log, 'b '))
    await using stores = await createStores({
      stores: { fast: spec },
      default: 'fast',
      layers: [recording(log, 'all ')],
    })
    await stores.add('key', Buffer.of(1))
    const begun = log.filter((line) => line.endsWith('write begins')).map((line) => line.split(' ')[0])
    expect(begun).toEqual(['all', 'a', 'b', 'c'])
  })

  it('leaves the spec it was given as it was', () => {
    const spec = memory()
    layered(spec, recording([]))
    expect(spec.layers).toEqual([])
  })
})
