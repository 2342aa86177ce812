import { inspect } from 'node:util'
import { type ByteStream, collect, createStores, memory, MullionError } from 'mullion'
import { failingSource, seededBytes, seededStream } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { atOnce, failureOf, tiny, type Tiny, type TinyStore } from './tiny-store.ts'

const content = seededBytes(4, 1000)
const busy = (): MullionError => new MullionError('unavailable', 'tiny store: busy', { details: {} })
const md5 = '0'.repeat(32)

describe('a failed add', () => {
  it('makes a store that commits after the last byte commit nothing with the wrong digest', async () => {
    let committed = false
    const { spec, calls } = tiny({
      capabilities: { atomicWrite: true },
      with: {
        async write(key, body) {
          await collect(body)
          committed = true
          return { at: key }
        },
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const error = await failureOf(stores.add('x', content, { expect: { md5 } }))
    expect(error).toMatchObject({ code: 'hash_mismatch', details: { algorithm: 'md5', expected: md5 } })
    expect(committed).toBe(false)
    expect(calls).toEqual(['write'])
  })

  it('compares digests as text: upper case is another digest', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const { hashes } = await stores.add('x', content)
    const upper = hashes['md5']?.toUpperCase() ?? ''
    await expect(stores.add('y', content, { expect: { md5: upper } })).rejects.toMatchObject({ code: 'hash_mismatch' })
    await stores.add('y', content, { expect: hashes })
  })

  it('takes back what a store that is not atomic left', async () => {
    const { spec, objects, calls } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    await expect(stores.add('x', content, { expect: { md5 } })).rejects.toMatchObject({ code: 'hash_mismatch' })
    expect(calls).toEqual(['write', 'remove'])
    await expect(stores.add('x', () => seededStream(1, 999), { size: 1000 })).rejects.toMatchObject({
      code: 'size_mismatch',
    })
    expect(objects.size).toBe(0)
  })

  it('takes back what a store committed that stopped reading at the size it was told', async () => {
    const { spec, calls } = tiny({ capabilities: { atomicWrite: true }, with: { write: exactly(1000) } })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const longer = (): ByteStream => seededStream(4, 1001, 1000)
    await expect(stores.add('x', longer, { size: 1000 })).rejects.toMatchObject({ code: 'size_mismatch' })
    await expect(stores.add('x', content, { size: 1000, expect: { md5 } })).rejects.toMatchObject({
      code: 'hash_mismatch',
    })
    await expect(stores.add('x', content, { size: 1000 })).resolves.toMatchObject({ size: 1000 })
    expect(calls).toEqual(['write', 'remove', 'write', 'remove', 'write'])
  })

  it('is noticed when a store stops reading before the end, whether the size is known or not', async () => {
    const { spec, calls } = tiny({ with: { write: exactly(400) } })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    for (const size of [undefined, 1000]) {
      const source = (): ByteStream => seededStream(1, 1000, 100)
      const options = size === undefined ? {} : { size }
      await expect(stores.add('x', source, options)).rejects.toMatchObject({ code: 'internal' })
    }
    expect(calls).toEqual(['write', 'remove', 'write', 'remove'])
  })

  it('never touches an object that was there before', async () => {
    const { spec, objects, calls } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    await stores.add('x', content)
    await expect(stores.add('x', new Uint8Array(5))).rejects.toMatchObject({
      code: 'already_exists',
      context: { imageId: 'x' },
    })
    expect(objects.get('x')?.byteLength).toBe(1000)
    expect(calls).not.toContain('remove')
  })

  it('never touches an object that was there before, also when the source failed as well', async () => {
    const failure = new Error('the client left')
    const { spec, objects } = tiny({
      classify: (error) => ((error as { status?: number }).status === 412 ? 'already_exists' : undefined),
      with: {
        async write(key, body, { announce }) {
          await announce(key)
          await collect(body).catch(() => {})
          throw Object.assign(new Error('precondition failed'), { status: 412 })
        },
      },
    })
    objects.set('x', content)
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    expect(await failureOf(stores.add('x', failingSource(failure, 10)))).toBe(failure)
    expect(objects.get('x')).toBe(content)
  })

  it.each([false, true])(
    'rejects with the very error of the source, whatever the store makes of it (atomic: %s)',
    async (atomicWrite) => {
      const failure = new Error('the client left')
      const { spec, objects } = tiny({
        capabilities: { atomicWrite },
        with: {
          write: async (_key, body) => {
            await collect(body).catch((cause: unknown) => {
              throw new Error('SDK: request failed', { cause })
            })
            return expect.unreachable()
          },
        },
      })
      await using stores = await createStores({ stores: { a: spec }, default: 'a' })
      for (const after of [0, 1, 500]) {
        expect(await failureOf(stores.add('x', failingSource(failure, after)))).toBe(failure)
      }
      const throwing = (): never => {
        throw failure
      }
      expect(await failureOf(stores.add('x', throwing))).toBe(failure)
      expect(objects.size).toBe(0)
    },
  )

  it('rejects with the error of the source also when a store swallows it', async () => {
    const failure = new Error('the client left')
    const { spec, calls } = tiny({
      with: {
        write: async (key, body) => ({
          at: await collect(body).then(
            () => key,
            () => key,
          ),
        }),
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    expect(await failureOf(stores.add('x', failingSource(failure, 10)))).toBe(failure)
    expect(calls).toEqual(['write', 'remove'])
  })

  it('carries both causes and the place when what was written cannot be removed', async () => {
    const { spec } = tiny({
      with: {
        remove: async () => {
          throw new Error('permission lost for http://u:tOpSeCrEt@h/x')
        },
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const error = (await failureOf(stores.add('x', content, { expect: { md5 } }))) as MullionError
    expect(error).toMatchObject({ code: 'hash_mismatch', context: { location: 'tiny://x' }, retryable: false })
    expect(error.message).toMatch(
      /expected md5 0+, got .*; could not remove tiny:\/\/x: a: tiny store: .*permission lost/,
    )
    expect(error.message).not.toContain('tOpSeCrEt')
    expect((error.cause as AggregateError).errors).toMatchObject([{ code: 'hash_mismatch' }, { code: 'internal' }])
  })

  it('says so when the store cannot remove at all', async () => {
    const { spec } = tiny({ with: { remove: undefined } })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const error = await failureOf(stores.add('x', content, { expect: { md5 } }))
    expect(error).toMatchObject({ code: 'hash_mismatch', context: { location: 'tiny://x' } })
  })

  it('tells the operator of a leftover when the error is not ours to extend', async () => {
    const { spec } = tiny({
      with: {
        remove: async () => {
          throw busy()
        },
      },
    })
    const logged: unknown[] = []
    const log = (...line: readonly unknown[]): void => void logged.push(line)
    await using stores = await createStores({ stores: { a: spec }, default: 'a', log })
    const failure = new Error('the client left')
    expect(await failureOf(stores.add('x', failingSource(failure, 10)))).toBe(failure)
    expect(logged).toEqual([[expect.any(String), { store: 'a', location: 'tiny://x', error: 'tiny store: busy' }]])
  })

  it('classifies and redacts what the store throws, and keeps it as the cause', async () => {
    const cause = Object.assign(new Error('PUT http://k:tOpSeCrEt@h/x?sig=tOpSeCrEt refused'), { status: 507 })
    const { spec } = tiny({
      classify: (error) => ((error as { status?: number }).status === 507 ? 'storage_full' : undefined),
      with: {
        write: async () => {
          throw cause
        },
      },
    })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const error = (await failureOf(stores.add('x', content))) as MullionError
    expect(error).toMatchObject({
      code: 'storage_full',
      message: 'a: tiny store: add x: PUT http://***@h/x?*** refused',
      context: { operation: 'add', store: 'a', imageId: 'x', attempt: 1 },
    })
    expect(error.cause).toBe(cause)
    expect(inspect(error.context) + error.message).not.toContain('tOpSeCrEt')
  })
})

/** A store that takes so many bytes, then answers, like one that believes the size it was told. */
function exactly(size: number): TinyStore['write'] {
  return async (key, body) => {
    await take(body, size)
    return { at: key }
  }
}

/** The chunks of a stream until there are `size` bytes; not a byte is asked for after that. */
async function take(body: ByteStream, size: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  const iterator = body[Symbol.asyncIterator]()
  while (Buffer.concat(chunks).byteLength < size) {
    const step = await iterator.next()
    if (step.done) break
    chunks.push(step.value)
  }
  return Buffer.concat(chunks)
}

describe('a retried add', () => {
  const flaky = (failures: number): Tiny => {
    let calls = 0
    return tiny({
      with: {
        async write(key, body, { announce }) {
          await announce(key)
          calls += 1
          await collect(body)
          if (calls <= failures) throw busy()
          return { at: key }
        },
      },
    })
  }

  it('starts a source that replays from its first byte, with fresh digests', async () => {
    const { spec, calls } = flaky(2)
    await using stores = await createStores({ stores: { a: spec }, default: 'a', retry: atOnce })
    await using other = await createStores({ stores: { a: memory() }, default: 'a' })
    const places: string[] = []
    const source = (): ByteStream => seededStream(9, 5000)
    const onLocation = (location: unknown): void => void places.push(String(location))
    const { hashes, size } = await stores.add('x', source, { size: 5000, onLocation })
    expect({ hashes, size }).toEqual({ hashes: (await other.add('x', source)).hashes, size: 5000 })
    expect(calls.filter((name) => name === 'write')).toHaveLength(3)
    expect(places).toEqual(['tiny://x', 'tiny://x', 'tiny://x'])
  })

  it('gives up when the attempts are spent, and says that trying again is no use', async () => {
    const { spec, calls } = flaky(9)
    await using stores = await createStores({ stores: { a: spec }, default: 'a', retry: { ...atOnce, attempts: 2 } })
    const error = await failureOf(stores.add('x', content))
    expect(error).toMatchObject({ code: 'unavailable', retryable: false, context: { attempt: 2 } })
    expect(calls.filter((name) => name === 'write')).toHaveLength(2)
  })

  it('never reads a source twice that cannot be read twice', async () => {
    const { spec, calls } = flaky(1)
    await using stores = await createStores({ stores: { a: spec }, default: 'a', retry: atOnce })
    await expect(stores.add('x', seededStream(1, 10))).rejects.toMatchObject({ code: 'unavailable' })
    expect(calls.filter((name) => name === 'write')).toHaveLength(1)
  })

  it('tries again after an error of the source only if the source replays and says it is worth it', async () => {
    const { spec } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a', retry: atOnce })
    let opened = 0
    const failing = (error: Error, times: number) => (): ByteStream => {
      opened += 1
      return opened <= times ? failingSource(error, 10) : seededStream(1, 10)
    }
    await stores.add('x', failing(busy(), 2))
    expect(opened).toBe(3)
    opened = 0
    const plain = new Error('broken')
    expect(await failureOf(stores.add('y', failing(plain, 2)))).toBe(plain)
    expect(opened).toBe(1)
    const spent = busy()
    opened = 0
    expect(await failureOf(stores.add('z', failing(spent, 9)))).toBe(spent)
    expect(opened).toBe(3)
  })
})
