import { getEventListeners } from 'node:events'
import { type ByteStream, collect, createStores, memory } from 'mullion'
import { seededBytes, seededStream, stallingSource } from 'mullion/testkit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { atOnce, failureOf, gate, tiny } from './tiny-store.ts'

const content = seededBytes(5, 1000)
const reason = new Error('changed my mind')
const never = (): Promise<never> => new Promise(() => {})

afterEach(() => vi.useRealTimers())

describe('an aborted add', () => {
  it('rejects with the reason itself and asks nothing of the store when aborted before', async () => {
    const { spec, calls } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    expect(await failureOf(stores.add('x', content, { signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(calls).toEqual([])
  })

  it('takes back what was written when aborted in the middle, and is not tried again', async () => {
    const { spec, objects, calls } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a', retry: atOnce })
    const controller = new AbortController()
    const source = async function* (): ByteStream & AsyncGenerator<Uint8Array> {
      yield content
      controller.abort(reason)
      yield content
    }
    expect(await failureOf(stores.add('x', source, { signal: controller.signal }))).toBe(reason)
    expect(calls).toEqual(['write', 'remove'])
    expect(objects.size).toBe(0)
  })

  it('takes back what the store committed while it was aborted', async () => {
    const controller = new AbortController()
    const { spec, objects } = tiny({
      capabilities: { atomicWrite: true },
      with: {
        async write(key, body) {
          objects.set(key, await collect(body))
          controller.abort(reason)
          return { at: key }
        },
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    expect(await failureOf(stores.add('x', content, { signal: controller.signal }))).toBe(reason)
    expect(objects.size).toBe(0)
  })

  it('keeps what is stored when the signal aborts afterwards', async () => {
    const controller = new AbortController()
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const { location } = await stores.add('x', content, { signal: controller.signal })
    controller.abort(reason)
    expect(await stores.getSizeFromBackend(location)).toBe(1000)
  })

  it('does not wait for a source that is stuck', async () => {
    const { spec, objects } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const controller = new AbortController()
    const source = stallingSource(100)
    const adding = failureOf(stores.add('x', source, { signal: controller.signal }))
    await source.stalled
    controller.abort(reason)
    expect(await adding).toBe(reason)
    expect(source.released).toBe(true)
    expect(objects.size).toBe(0)
  })

  it('leaves an object of another alone when the store finds it after the abort', async () => {
    const controller = new AbortController()
    const { spec, objects } = tiny({
      classify: (error) => (error === 'taken' ? 'already_exists' : undefined),
      with: {
        async write(key, _body, { announce }) {
          await announce(key)
          controller.abort(reason)
          throw 'taken' // oxlint-disable-line no-throw-literal, typescript/only-throw-error -- SDKs do
        },
      },
    })
    objects.set('x', content)
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    expect(await failureOf(stores.add('x', content, { signal: controller.signal }))).toBe(reason)
    expect(objects.has('x')).toBe(true)
  })

  it('waits for a store that cleans up after itself', async () => {
    const cleaned = gate()
    const { spec } = tiny({
      with: {
        write: (_key, _body, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => void cleaned.opened.then(() => reject(signal.reason as Error)))
          }),
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const controller = new AbortController()
    let over = false
    const adding = failureOf(stores.add('x', content, { signal: controller.signal })).finally(() => (over = true))
    await new Promise(setImmediate)
    controller.abort(reason)
    await new Promise(setImmediate)
    expect(over).toBe(false)
    cleaned.open()
    expect(await adding).toBe(reason)
  })

  it('gives a store up that ignores the abort, and removes what it stores later', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const later = gate()
    const removed = gate()
    const { spec, objects } = tiny({
      capabilities: { atomicWrite: true },
      with: {
        async write(key) {
          await later.opened
          objects.set(key, content)
          return { at: key }
        },
        async remove(key) {
          objects.delete(key)
          removed.open()
        },
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a', idleTimeoutMs: 0 })
    const controller = new AbortController()
    const adding = failureOf(stores.add('x', content, { signal: controller.signal }))
    await new Promise(setImmediate)
    controller.abort(reason)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await adding).toBe(reason)
    later.open()
    await removed.opened
    expect(objects.size).toBe(0)
  })

  it('does not wait for ever for a removal that is stuck', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const removing = gate()
    const deadline = new AbortController()
    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(deadline.signal)
    const { spec } = tiny({
      with: {
        remove: () => {
          removing.open()
          return never()
        },
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const adding = failureOf(stores.add('x', content, { expect: { md5: 'x' } }))
    await removing.opened
    deadline.abort(new DOMException('the operation timed out', 'TimeoutError'))
    expect(await adding).toMatchObject({ code: 'hash_mismatch', context: { location: 'tiny://x' } })
    vi.restoreAllMocks()
  })

  it('leaves no listener on a signal that outlives a thousand calls', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const { signal } = new AbortController()
    const { location } = await stores.add('kept', content, { signal })
    for (let call = 0; call < 1000; call += 1) {
      if (call % 4 === 0) await failureOf(stores.add('kept', content, { signal }))
      if (call % 4 === 1) await stores.add(`x${call}`, content, { signal, hashes: [] })
      if (call % 4 === 2) await stores.getSizeFromBackend(location, { signal })
      if (call % 4 === 3) await collect((await stores.get(location, { signal })).body)
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('onLocation', () => {
  it('holds nobody up who aborts', async () => {
    const { spec, objects } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const controller = new AbortController()
    const onLocation = (): Promise<never> => {
      controller.abort(reason)
      return never()
    }
    expect(await failureOf(stores.add('x', content, { signal: controller.signal, onLocation }))).toBe(reason)
    expect(objects.size).toBe(0)
  })
})

describe('idleTimeoutMs', () => {
  const limits = { idleTimeoutMs: 20, retry: { attempts: 1 } }

  it('ends an upload whose source is stuck, and takes back what was written', async () => {
    const { spec, objects } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a', ...limits })
    const source = stallingSource(100)
    const error = await failureOf(stores.add('x', source))
    expect(error).toMatchObject({
      code: 'timeout',
      message: 'a: add x: the source moved no data for 20 ms',
      details: { limitMs: 20 },
    })
    expect(source.released).toBe(true)
    expect(objects.size).toBe(0)
  })

  const heeding = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })

  it('ends an upload whose store takes no more', async () => {
    const write = async (
      _key: string,
      body: ByteStream,
      { signal }: { readonly signal: AbortSignal },
    ): Promise<never> => {
      await body[Symbol.asyncIterator]().next()
      return heeding(signal)
    }
    await using stores = await createStores({ stores: { a: tiny({ with: { write } }).spec }, default: 'a', ...limits })
    const error = await failureOf(stores.add('x', seededStream(1, 1000, 10)))
    expect(error).toMatchObject({ code: 'timeout', message: 'a: add x: the store moved no data for 20 ms' })
  })

  it('ends an upload whose store never asks for the first byte', async () => {
    const { spec } = tiny({ with: { write: (_key, _body, { signal }) => heeding(signal) } })
    await using stores = await createStores({ stores: { a: spec }, default: 'a', ...limits })
    await expect(stores.add('x', content)).rejects.toMatchObject({ code: 'timeout' })
  })

  it('tries again with a source that replays', async () => {
    const { spec } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a', idleTimeoutMs: 20, retry: atOnce })
    let opened = 0
    const { size } = await stores.add('x', () => {
      opened += 1
      return opened === 1 ? stallingSource(50) : seededStream(1, 100)
    })
    expect([opened, size]).toEqual([2, 100])
  })

  it('never bites when it is 0', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a', idleTimeoutMs: 0 })
    const controller = new AbortController()
    const source = stallingSource(10)
    const adding = failureOf(stores.add('x', source, { signal: controller.signal }))
    await source.stalled
    controller.abort(reason)
    expect(await adding).toBe(reason)
  })
})
