import { setImmediate as tick } from 'node:timers/promises'
import {
  createStores,
  type Layer,
  type Listed,
  type ListedEntry,
  type ListOptions,
  MullionError,
  revealUri,
} from 'mullion'
import { concurrency, layered, metrics, rateLimit, readOnly, type Sample, timeout } from 'mullion/layers'
import { manualClock } from 'mullion/testkit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { failureOf, gate, tiny, type TinyOptions } from './tiny-store.ts'

afterEach(() => {
  vi.useRealTimers()
})

type List = (options: ListOptions) => AsyncIterable<Listed<string>>

const object = (at: string): Listed<string> => ({ kind: 'object', at, size: 1, modifiedAt: undefined })

interface Rules extends Omit<TinyOptions, 'with'> {
  readonly layers?: readonly Layer[]
  readonly idleTimeoutMs?: number
}

function open(list: List | undefined, { layers = [], idleTimeoutMs = 0, ...rules }: Rules = {}) {
  const store = layered(tiny({ ...rules, with: { list } }).spec, ...layers)
  return createStores({ stores: { only: store }, default: 'only', idleTimeoutMs })
}

async function* three(): AsyncGenerator<Listed<string>> {
  yield object('a')
  yield object('b')
  yield object('c')
}

async function urisOf(entries: AsyncIterable<ListedEntry>): Promise<readonly string[]> {
  const found = []
  for await (const entry of entries) found.push(entry.kind === 'object' ? revealUri(entry.location) : entry.name)
  return found
}

function nextOf(entries: AsyncIterable<ListedEntry>): Promise<IteratorResult<ListedEntry>> {
  return entries[Symbol.asyncIterator]().next()
}

describe('list', () => {
  it('tells objects by the locations of their store, and anew at each iteration', async () => {
    await using stores = await open(three)
    const entries = stores.list('only')
    expect(await urisOf(entries)).toEqual(['tiny://a', 'tiny://b', 'tiny://c'])
    expect(await urisOf(entries)).toHaveLength(3)
    expect((await nextOf(entries)).value).toMatchObject({ kind: 'object', store: 'only', location: { store: 'only' } })
  })

  it('ends at once when there is nothing', async () => {
    await using stores = await open(async function* () {})
    expect(await urisOf(stores.list('only'))).toEqual([])
  })

  it('asks for nothing before its reader does, and for no more than its reader wants', async () => {
    let made = 0
    await using stores = await open(async function* () {
      for (;;) yield object(`key-${++made}`)
    })
    const entries = stores.list('only')
    expect(made).toBe(0)
    for await (const _ of entries) if (made === 3) break
    expect(made).toBe(3)
  })

  it('rejects unsupported where the store has none, and invalid_argument for a store nobody knows', async () => {
    await using stores = await open(undefined)
    expect(await failureOf(nextOf(stores.list('only')))).toMatchObject({ code: 'unsupported' })
    expect(await failureOf(nextOf(stores.list('other' as 'only')))).toMatchObject({ code: 'invalid_argument' })
  })

  it('translates what the store throws, and is over then', async () => {
    await using stores = await open(
      async function* () {
        yield object('a')
        throw new Error('no route to s3://key:secret@host/x')
      },
      { classify: () => 'unavailable' },
    )
    const entries = stores.list('only')[Symbol.asyncIterator]()
    await entries.next()
    const error = await failureOf(entries.next())
    expect(error).toMatchObject({ code: 'unavailable', context: { operation: 'list', store: 'only' } })
    expect(String(error)).not.toContain('secret')
    expect(await entries.next()).toEqual({ done: true, value: undefined })
  })

  it('releases the listing of the store when its reader leaves', async () => {
    let released = false
    await using stores = await open(async function* () {
      try {
        yield* three()
      } finally {
        released = true
      }
    })
    for await (const _ of stores.list('only')) break
    expect(released).toBe(true)
  })

  it('does not wait for a store that hangs when it is aborted', async () => {
    const asked = gate()
    await using stores = await open(async function* () {
      yield object('a')
      asked.open()
      await new Promise(() => {})
    })
    const controller = new AbortController()
    const pending = failureOf(urisOf(stores.list('only', { signal: controller.signal })))
    await asked.opened
    controller.abort('enough')
    expect(await pending).toBe('enough')
  })

  it('ends when the stores close although nobody reads on', async () => {
    let released = false
    const stores = await open(async function* () {
      try {
        yield* three()
      } finally {
        released = true
      }
    })
    const entries = stores.list('only')[Symbol.asyncIterator]()
    await entries.next()
    await stores.close()
    expect(released).toBe(true)
    expect(await failureOf(entries.next())).toMatchObject({ code: 'closed' })
  })

  it('lets its reader call a store that takes one call at a time', async () => {
    await using stores = await open(three, { capabilities: { concurrency: 1 } })
    for await (const entry of stores.list('only')) {
      if (entry.kind === 'partial') continue
      expect(await failureOf(stores.delete(entry.location))).toMatchObject({ code: 'not_found' })
    }
  })

  it('gives up a store that is silent, but neither a slow reader nor a store that says it goes on', async () => {
    vi.useFakeTimers()
    const go = gate()
    await using stores = await open(
      async function* ({ alive }) {
        yield object('a')
        for (let page = 0; page < 3; page += 1) {
          await new Promise((resolve) => {
            setTimeout(resolve, 900)
          })
          alive()
        }
        yield object('b')
        await go.opened
      },
      { idleTimeoutMs: 1000 },
    )
    const entries = stores.list('only')[Symbol.asyncIterator]()
    await entries.next()
    await vi.advanceTimersByTimeAsync(10_000)
    const second = entries.next()
    await vi.advanceTimersByTimeAsync(2700)
    expect(await second).toMatchObject({ value: { kind: 'object' } })
    const third = failureOf(entries.next())
    await vi.advanceTimersByTimeAsync(1000)
    expect(await third).toMatchObject({ code: 'timeout', details: { limitMs: 1000 } })
    go.open()
  })
})

describe('a partial', () => {
  const partial = (remove: () => Promise<void>): List =>
    async function* () {
      yield { kind: 'partial', name: '.a.part', size: 5, modifiedAt: new Date(0), remove }
    }

  async function removal(remove: () => Promise<void>, rules: Rules = {}): Promise<void> {
    await using stores = await open(partial(remove), rules)
    const { value } = await nextOf(stores.list('only'))
    expect(value).toMatchObject({ kind: 'partial', store: 'only', name: '.a.part', size: 5, modifiedAt: new Date(0) })
    if (value?.kind === 'partial') await value.remove()
  }

  it('is removed by the store that told it', async () => {
    const remove = vi.fn(async () => {})
    await removal(remove)
    expect(remove).toHaveBeenCalledOnce()
  })

  it('rejects with what the store says, in context', async () => {
    const refuse = async (): Promise<void> => {
      throw new MullionError('conflict', 'tiny store: .a.part changed', { details: { expected: 'as listed' } })
    }
    expect(await failureOf(removal(refuse))).toMatchObject({
      code: 'conflict',
      context: { operation: 'remove', store: 'only', location: '.a.part' },
    })
  })

  it('is not removed once the stores are closed', async () => {
    const remove = vi.fn(async () => {})
    const stores = await open(partial(remove))
    const { value } = await nextOf(stores.list('only'))
    await stores.close()
    expect(value?.kind === 'partial' && (await failureOf(value.remove()))).toMatchObject({ code: 'closed' })
    expect(remove).not.toHaveBeenCalled()
  })

  it('is not removed through a store that is read-only', async () => {
    const remove = vi.fn(async () => {})
    expect(await failureOf(removal(remove, { layers: [readOnly()] }))).toMatchObject({ code: 'unsupported' })
    expect(remove).not.toHaveBeenCalled()
  })
})

describe('a listing behind layers', () => {
  it('is one call to metrics, which lasts until its reader is done', async () => {
    const clock = manualClock()
    const samples: Sample[] = []
    const layer = metrics((sample) => samples.push(sample), { clock })
    await using stores = await open(three, { layers: [layer] })
    for await (const _ of stores.list('only')) {
      expect(samples).toEqual([])
      await clock.advance(10)
    }
    expect(samples).toMatchObject([{ op: 'list', durationMs: 30, outcome: 'ok' }])
    for await (const _ of stores.list('only')) break
    expect(samples).toHaveLength(2)
  })

  it('tells metrics how it failed', async () => {
    const samples: Sample[] = []
    const broken = async function* (): AsyncGenerator<Listed<string>> {
      yield object('a')
      throw new MullionError('unavailable', 'tiny store: gone', { details: {} })
    }
    await using stores = await open(broken, { layers: [metrics((sample) => samples.push(sample))] })
    expect(await failureOf(urisOf(stores.list('only')))).toMatchObject({ code: 'unavailable' })
    expect(samples).toMatchObject([{ op: 'list', outcome: 'unavailable' }])
  })

  it('leaves its place to others while its reader is busy', async () => {
    await using stores = await open(three, { layers: [concurrency(1)] })
    const entries = stores.list('only')[Symbol.asyncIterator]()
    await entries.next()
    const { location } = await stores.add('key', Buffer.of(1))
    await stores.delete(location)
    expect(await entries.next()).toMatchObject({ done: false })
    await entries.return?.()
  })

  it('counts once towards a rate', async () => {
    const clock = manualClock()
    await using stores = await open(three, { layers: [rateLimit({ perSecond: 1, clock })] })
    expect(await urisOf(stores.list('only'))).toHaveLength(3)
    const second = urisOf(stores.list('only'))
    await tick()
    await clock.advance(1000)
    expect(await second).toHaveLength(3)
  })

  it('has the time limit for each entry', async () => {
    const clock = manualClock()
    const hung = gate()
    const slow = async function* (): AsyncGenerator<Listed<string>> {
      yield object('a')
      yield object('b')
      await hung.opened
    }
    await using stores = await open(slow, { layers: [timeout({ ms: 1000, clock })] })
    const entries = stores.list('only')[Symbol.asyncIterator]()
    await entries.next()
    await clock.advance(5000)
    await entries.next()
    const third = failureOf(entries.next())
    await tick()
    await clock.advance(1000)
    expect(await third).toMatchObject({ code: 'timeout' })
    hung.open()
  })
})
