import { type AnyStore, collect, createStores, isMullionError, type Layer, memory, type StoreInfo } from 'mullion'
import { layered } from 'mullion/layers'
import {
  assertSeeded,
  chaos,
  failingSource,
  manualClock,
  oneByteSource,
  runCase,
  seededBytes,
  seededStream,
  stallingSource,
  storeCases,
  testStore,
} from 'mullion/testkit'
import { describe, expect, it } from 'vitest'

describe('seeded bytes', () => {
  it('are the same for the same seed, whole, in parts and as a stream', async () => {
    const whole = Buffer.from(seededBytes(7, 10_000))
    expect(whole.equals(await collect(seededStream(7, 10_000, 333)))).toBe(true)
    for (const offset of [0, 1, 2, 3, 4, 5, 4999, 9999]) {
      expect(whole.subarray(offset, offset + 100).equals(seededBytes(7, Math.min(100, 10_000 - offset), offset))).toBe(
        true,
      )
    }
    expect(whole.equals(seededBytes(8, 10_000))).toBe(false)
    expect(seededBytes(7, 0).byteLength).toBe(0)
  })

  it('repeat no block and use all values', () => {
    const bytes = Buffer.from(seededBytes(1, 65_536))
    const blocks = new Set(
      Array.from({ length: 1024 }, (_, index) => bytes.toString('hex', index * 64, index * 64 + 64)),
    )
    expect(blocks.size).toBe(1024)
    expect(new Set(bytes).size).toBe(256)
  })

  it('are compared to the byte, naming the first that is wrong, missing or too many', async () => {
    const range = { seed: 3, offset: 10, length: 100 }
    await assertSeeded(oneByteSource(seededBytes(3, 100, 10)), range)
    const wrong = seededBytes(3, 100, 10)
    wrong[42] = (wrong[42] ?? 0) ^ 1
    await expect(assertSeeded(oneByteSource(wrong), range)).rejects.toThrow('byte 52 is')
    await expect(assertSeeded(seededStream(3, 0), range)).rejects.toThrow('ended after 0 of 100 bytes')
    await expect(assertSeeded(oneByteSource(seededBytes(3, 101, 10)), range)).rejects.toThrow(
      'more than the expected 100',
    )
  })
})

describe('sources', () => {
  it('fail with the given error after the given bytes', async () => {
    const error = new Error('the source failed')
    let count = 0
    const reading = (async () => {
      for await (const chunk of failingSource(error, 100_000)) count += chunk.byteLength
    })()
    await expect(reading).rejects.toBe(error)
    expect(count).toBe(100_000)
  })

  it('stall until they are let go of', async () => {
    const source = stallingSource(10)
    const iterator = source[Symbol.asyncIterator]()
    await iterator.next()
    void iterator.next()
    await source.stalled
    expect(source.released).toBe(false)
    await iterator.return?.()
    expect(source.released).toBe(true)
  })
})

describe('manualClock', () => {
  it('runs what is due in order of time, and what that sets up in turn', async () => {
    const clock = manualClock(100)
    const ran: string[] = []
    clock.after(20, () => ran.push(`b at ${clock.now()}`))
    clock.after(10, () => {
      ran.push(`a at ${clock.now()}`)
      clock.after(5, () => ran.push(`c at ${clock.now()}`))
    })
    const cancel = clock.after(12, () => ran.push('never'))
    cancel()
    await clock.advance(19)
    expect(ran).toEqual(['a at 110', 'c at 115'])
    expect(clock.pending).toBe(1)
    await clock.advance(1)
    expect(ran).toEqual(['a at 110', 'c at 115', 'b at 120'])
    expect(clock.now()).toBe(120)
  })
})

describe('chaos', () => {
  const signal = new AbortController().signal

  it('fails the planned calls and no others, with the planned code', async () => {
    const store = await opened(chaos([{ op: 'stat', after: 1, times: 2, code: 'rate_limited' }]))
    const outcomes: unknown[] = []
    for (let calls = 0; calls < 4; calls += 1) {
      outcomes.push(
        await store.stat('no-such-key', { signal }).catch((error: unknown) => isMullionError(error) && error.code),
      )
    }
    expect(outcomes).toEqual(['not_found', 'rate_limited', 'rate_limited', 'not_found'])
  })

  it('breaks a body at the planned byte, in both directions', async () => {
    const seen: number[] = []
    const watching: Layer = (next) => ({
      write: (key, body, options) =>
        next.write?.(key, counted(body, seen), options) ?? Promise.reject(new Error('read-only')),
    })
    const plan = chaos([
      { op: 'write', atByte: 5 },
      { op: 'read', atByte: 3 },
    ])
    const spec = layered(memory(), plan, watching)
    await using stores = await createStores({ stores: { a: spec }, default: 'a', retry: { attempts: 1 } })
    const source = (): AsyncIterable<Uint8Array> => seededStream(1, 9, 4)
    await expect(stores.add('key', source)).rejects.toMatchObject({ code: 'unavailable' })
    expect(seen).toEqual([4, 1])
    const { location } = await stores.add('key', source)
    const got: number[] = []
    await expect(collect(counted((await stores.get(location)).body, got))).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect(got).toEqual([3])
  })

  it('keeps functions absent that the store lacks', async () => {
    const store: AnyStore = { read: () => Promise.reject(new Error('none')), stat: async () => ({ size: 1 }) }
    const about = aboutOf('fixture')
    expect(Object.keys({ ...store, ...chaos([])(store, about) }).toSorted()).toEqual(['read', 'stat'])
  })
})

describe('testStore', () => {
  it('defines every case, and again under transient failures those that can be repeated', () => {
    const defined = new Map<string, string[]>()
    let group: string[] = []
    testStore(
      {
        describe(title, define) {
          group = []
          defined.set(title, group)
          define()
        },
        it: (title) => group.push(title),
      },
      { name: 'any', open: () => memory() },
    )
    const repeated = storeCases.filter(({ faults, once }) => !faults && once !== true).map(({ title }) => title)
    expect(defined.get('any store')).toEqual(storeCases.map(({ title }) => title))
    expect(defined.get('any store, failing for a moment')).toEqual(repeated)
  })

  it('says which capability a skipped case lacks', async () => {
    const storeCase = storeCases.find(({ title }) => title === 'reads any range within an object')
    const spec = memory()
    const open = (): typeof spec => ({ ...spec, capabilities: { ...spec.capabilities, range: false } })
    expect(storeCase && (await runCase(storeCase, { name: 'any', open }))).toBe('capability range is false')
  })

  it('closes the harness after each case, also when it fails', async () => {
    let closed = 0
    const [storeCase] = storeCases
    const close = (): void => void (closed += 1)
    const failing = chaos([{ op: 'read', times: 99, code: 'internal' }])
    expect(storeCase && (await runCase(storeCase, { name: 'any', open: () => memory(), close }))).toBeUndefined()
    const harness = { name: 'any', open: () => layered(memory(), failing), close }
    await expect(storeCase && runCase(storeCase, harness)).rejects.toThrow('chaos: read fails')
    expect(closed).toBe(2)
  })
})

/** A memory store behind a layer, without a core around it. */
async function opened(layer: Layer): Promise<AnyStore> {
  const spec = memory()
  const next: AnyStore = await spec.open({ id: 'a', now: Date.now, log: () => {} })
  return { ...next, ...layer(next, aboutOf('memory')) } as AnyStore
}

async function* counted(body: AsyncIterable<Uint8Array>, sizes: number[]): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    sizes.push(chunk.byteLength)
    yield chunk
  }
}

function aboutOf(plugin: string): StoreInfo {
  const { capabilities } = memory()
  return { id: 'a', plugin, capabilities, classify: () => 'internal', describe: String }
}
