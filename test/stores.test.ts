import { type AnyStore, collect, createStores, type Layer, memory, MullionError } from 'mullion'
import { layered } from 'mullion/layers'
import { seededBytes, stallingSource } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { failureOf, gate, tiny } from './tiny-store.ts'

const content = seededBytes(8, 100)

describe('createStores', () => {
  it('refuses a default that is no store, and closes what it opened', async () => {
    let closed = 0
    const { spec } = tiny({ with: { close: async () => void (closed += 1) } })
    await expect(createStores({ stores: { a: spec }, default: 'b' as 'a' })).rejects.toMatchObject({
      code: 'invalid_config',
      message: 'default: no store is named "b"',
    })
    expect(closed).toBe(1)
  })

  it('closes those that are open when one cannot be opened, or a layer cannot be laid', async () => {
    const closed: string[] = []
    const closing = (name: string) => tiny({ with: { close: async () => void closed.push(name) } }).spec
    const bad = { ...tiny().spec, open: () => Promise.reject(new Error('no route to http://u:tOpSeCrEt@h')) }
    const error = await failureOf(createStores({ stores: { a: closing('a'), bad }, default: 'a' }))
    expect(error).toMatchObject({
      code: 'internal',
      message: 'bad: tiny store: open: no route to http://***@h',
      context: { store: 'bad' },
    })
    const layer: Layer = (_next, { id }) => {
      if (id === 'c') throw new Error('cannot lay')
      return {}
    }
    await expect(
      createStores({ stores: { b: closing('b'), c: closing('c') }, default: 'b', layers: [layer] }),
    ).rejects.toThrow('cannot lay')
    expect(closed).toEqual(['a', 'c', 'b'])
  })

  it('lists the schemes it knows, sorted and once', async () => {
    const stores = { a: tiny({ scheme: 'z' }).spec, b: memory(), c: memory() }
    await using all = await createStores({ stores, default: 'b' })
    expect(all.getKnownSchemes()).toEqual(['memory', 'z'])
  })

  it('takes a store that is a class', async () => {
    class Shelf {
      readonly #objects = new Map([['x', content]])
      async read(key: string) {
        return { body: [this.#find(key)].values() as never, size: this.#find(key).byteLength }
      }
      async stat(key: string) {
        return { size: this.#find(key).byteLength }
      }
      #find(key: string): Uint8Array {
        return this.#objects.get(key) ?? new Uint8Array()
      }
    }
    const spec = { ...tiny().spec, open: async () => new Shelf() as unknown as AnyStore }
    await using stores = await createStores({ stores: { a: spec, b: memory() }, default: 'b' })
    expect(await stores.getSizeFromBackend('tiny://x')).toBe(100)
    await expect(stores.delete('tiny://x')).rejects.toMatchObject({
      code: 'unsupported',
      details: { operation: 'delete' },
    })
  })

  it('lays those for all outside those of one, the first listed outermost', async () => {
    const order: string[] = []
    const noted =
      (name: string): Layer =>
      (next) => ({
        stat(at, options) {
          order.push(name)
          return next.stat(at, options)
        },
      })
    const { spec, objects } = tiny()
    objects.set('x', content)
    const stores = { a: layered(spec, noted('inner'), noted('innermost')) }
    await using all = await createStores({ stores, default: 'a', layers: [noted('outermost'), noted('outer')] })
    expect(await all.getSizeFromBackend('tiny://x')).toBe(100)
    expect(order).toEqual(['outermost', 'outer', 'inner', 'innermost'])
  })

  it('lets a layer take a function away', async () => {
    const layer: Layer = () => ({ write: undefined, remove: undefined })
    await using stores = await createStores({ stores: { a: memory() }, default: 'a', layers: [layer] })
    await expect(stores.add('x', content)).rejects.toMatchObject({ code: 'unsupported' })
    await expect(stores.delete('memory://x')).rejects.toMatchObject({ code: 'unsupported' })
  })
})

describe('a call to one store', () => {
  it('says where it failed, classified and redacted', async () => {
    const { spec } = tiny({
      classify: () => 'in_use',
      with: {
        remove: async () => {
          throw new Error('busy at http://u:tOpSeCrEt@h')
        },
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    await expect(stores.delete('tiny://x')).rejects.toMatchObject({
      code: 'in_use',
      message: 'a: tiny store: delete tiny://x: busy at http://***@h',
      details: { location: 'tiny://x' },
      context: { operation: 'delete', store: 'a', location: 'tiny://x' },
    })
  })

  it('leaves size undefined when the store cannot tell, and 0 when it is 0', async () => {
    await using unknown = await createStores({
      stores: { a: tiny({ with: { stat: async () => ({ size: undefined }) } }).spec },
      default: 'a',
    })
    expect(await unknown.getSizeFromBackend('tiny://x')).toBeUndefined()
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const { location } = await stores.add('x', new Uint8Array())
    expect(await stores.getSizeFromBackend(location)).toBe(0)
  })

  it('hands access lists to the store', async () => {
    const seen: unknown[] = []
    const { spec } = tiny({ with: { setAcls: async (...given) => void seen.push(given.slice(0, 2)) } })
    await using stores = await createStores({ stores: { a: spec, b: memory() }, default: 'a' })
    const acls = { public: true, readers: ['t1'], writers: [] }
    await stores.setAcls('tiny://x', acls)
    expect(seen).toEqual([['x', acls]])
    await expect(stores.setAcls('memory://x', acls)).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('waits for its turn where the store takes one call at a time, and may leave the queue', async () => {
    const first = gate()
    const order: string[] = []
    const { spec } = tiny({
      capabilities: { concurrency: 1 },
      with: {
        async stat(key) {
          order.push(key)
          await first.opened
          return { size: 1 }
        },
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const reason = new Error('enough')
    const controller = new AbortController()
    const one = stores.getSizeFromBackend('tiny://one')
    const two = failureOf(stores.getSizeFromBackend('tiny://two', { signal: controller.signal }))
    const three = stores.getSizeFromBackend('tiny://three')
    await new Promise(setImmediate)
    controller.abort(reason)
    expect(await two).toBe(reason)
    first.open()
    await Promise.all([one, three])
    expect(order).toEqual(['one', 'three'])
  })

  it('holds its place until the body it handed out is over', async () => {
    const { spec, objects } = tiny({ capabilities: { concurrency: 1 } })
    objects.set('x', content)
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const { body } = await stores.get('tiny://x')
    const sized = stores.getSizeFromBackend('tiny://x').then(() => 'sized')
    await new Promise(setImmediate)
    expect(await Promise.race([sized, Promise.resolve('waiting')])).toBe('waiting')
    await collect(body)
    expect(await sized).toBe('sized')
  })

  it('does not wait for a store that ignores the abort', async () => {
    const { spec } = tiny({ with: { stat: () => new Promise(() => {}), remove: () => new Promise(() => {}) } })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    for (const call of [stores.getSizeFromBackend, stores.delete]) {
      const controller = new AbortController()
      const reason = new Error('enough')
      const calling = failureOf(call('tiny://x', { signal: controller.signal }))
      await new Promise(setImmediate)
      controller.abort(reason)
      expect(await calling).toBe(reason)
    }
  })
})

describe('close', () => {
  it('aborts what is under way, waits until it is cleaned up, then closes every store once', async () => {
    const left: number[] = []
    const { spec, objects } = tiny({ with: { close: async () => void left.push(objects.size) } })
    const stores = await createStores({ stores: { a: spec }, default: 'a' })
    const source = stallingSource(10)
    const adding = failureOf(stores.add('x', source))
    await source.stalled
    await Promise.all([stores.close(), stores.close()])
    await stores.close()
    expect(await adding).toMatchObject({ code: 'closed' })
    expect(left).toEqual([0])
  })

  it('refuses every call afterwards', async () => {
    const stores = await createStores({ stores: { a: memory() }, default: 'a' })
    await stores.close()
    const calls = [
      () => stores.add('x', content),
      () => stores.get('memory://x'),
      () => stores.delete('memory://x'),
      () => stores.getSizeFromBackend('memory://x'),
      () => stores.setAcls('memory://x', { public: true, readers: [], writers: [] }),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'closed' })
  })

  it('closes the others also when one fails, at once or later, and says so', async () => {
    const closed: string[] = []
    const sync = tiny({
      with: {
        close: () => {
          throw new MullionError('unavailable', 'flush failed', { details: {} })
        },
      },
    }).spec
    const good = tiny({ with: { close: async () => void closed.push('good') } }).spec
    const stores = await createStores({ stores: { sync, good }, default: 'good' })
    await expect(stores.close()).rejects.toThrow('flush failed')
    expect(closed).toEqual(['good'])
  })
})
