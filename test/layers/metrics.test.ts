import { collect, createStores, memory, MullionError } from 'mullion'
import { metrics, type Sample } from 'mullion/layers'
import { manualClock } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { behind, call, chunks, destroy, settle, storeOf } from './fixture.ts'

describe('metrics', () => {
  it('reports a read when its body is over, with its bytes and the time it took', async () => {
    const samples: Sample[] = []
    const clock = manualClock()
    const store = behind(
      metrics((sample) => samples.push(sample), { clock }),
      storeOf(() => chunks(10, 20)),
    )
    const { body } = await store.read('x', call())
    await clock.advance(250)
    expect(samples).toEqual([])
    await collect(body)
    await settle()
    expect(samples).toEqual([
      { op: 'read', store: 'fast', plugin: 'fixture', durationMs: 250, bytes: 30, outcome: 'ok' },
    ])
  })

  it('reports what a reader had that left, and one that never began', async () => {
    const bytes: number[] = []
    const store = behind(
      metrics((sample) => bytes.push(sample.bytes)),
      storeOf(() => chunks(10, 20)),
    )
    const left = await store.read('x', call())
    for await (const _ of left.body) break
    destroy((await store.read('x', call())).body)
    await settle()
    expect(bytes).toEqual([10, 0])
  })

  it('reports the code of a failure, and aborted when the caller aborted', async () => {
    const outcomes: Sample['outcome'][] = []
    const failures = [new MullionError('storage_full', 'full', { details: {} }), new Error('EIO'), new Error('late')]
    const stat = (): Promise<never> => Promise.reject(failures.shift())
    const store = behind(
      metrics(({ outcome }) => outcomes.push(outcome)),
      storeOf(() => chunks(), { stat }),
    )
    await expect(store.stat('x', call())).rejects.toThrow('full')
    await expect(store.stat('x', call())).rejects.toThrow('EIO')
    await expect(store.stat('x', call(AbortSignal.abort()))).rejects.toThrow('late')
    expect(outcomes).toEqual(['storage_full', 'internal', 'aborted'])
  })

  it('counts what createStores moves', async () => {
    const samples: Sample[] = []
    const layers = [metrics((sample) => samples.push(sample))]
    await using stores = await createStores({ stores: { fast: memory() }, default: 'fast', layers })
    const { location } = await stores.add('key', new Uint8Array(1000))
    await collect((await stores.get(location)).body)
    await stores.getSizeFromBackend(location)
    await stores.delete(location)
    await settle()
    expect(samples.map(({ op, bytes, outcome }) => [op, bytes, outcome])).toEqual([
      ['write', 1000, 'ok'],
      ['read', 1000, 'ok'],
      ['stat', 0, 'ok'],
      ['remove', 0, 'ok'],
    ])
  })
})
