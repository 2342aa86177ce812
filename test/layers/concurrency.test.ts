import { collect } from 'mullion'
import { concurrency } from 'mullion/layers'
import { describe, expect, it } from 'vitest'
import { behind, call, chunks, type Deferred, deferred, destroy, settle, storeOf } from './fixture.ts'

describe('concurrency', () => {
  it('lets no more in than the limit, and others in the order they came', async () => {
    const started: string[] = []
    const gates = new Map<string, Deferred>()
    const store = behind(
      concurrency(2),
      storeOf(() => chunks(), {
        async stat(at: string) {
          started.push(at)
          const gate = deferred()
          gates.set(at, gate)
          await gate.promise
          return { size: 1 }
        },
      }),
    )
    const calls = ['a', 'b', 'c', 'd', 'e'].map((at) => store.stat(at, call()))
    await settle()
    expect(started).toEqual(['a', 'b'])
    gates.get('b')?.resolve()
    await settle()
    expect(started).toEqual(['a', 'b', 'c'])
    gates.get('c')?.reject(new Error('failed')) // a failure frees a place like any end
    await expect(calls[2]).rejects.toThrow('failed')
    await settle()
    expect(started).toEqual(['a', 'b', 'c', 'd'])
    for (const at of ['a', 'd']) gates.get(at)?.resolve()
    await settle()
    gates.get('e')?.resolve()
    await Promise.all([calls[0], calls[1], calls[3], calls[4]])
  })

  it('holds the place of a read until its body ends, fails, is left or is destroyed unread', async () => {
    const ends = [
      (body: AsyncIterable<Uint8Array>) => collect(body),
      async (body: AsyncIterable<Uint8Array>) => {
        for await (const _ of body) break
      },
      async (body: AsyncIterable<Uint8Array>) => destroy(body),
    ]
    const store = behind(
      concurrency(1),
      storeOf(() => chunks(1, 1)),
    )
    for (const end of ends) {
      const { body } = await store.read('x', call())
      let answered = false
      const waiting = store.stat('x', call()).then(() => (answered = true))
      await settle()
      expect(answered).toBe(false)
      await end(body)
      await waiting
    }
  })

  it('frees the place in the queue of a call that aborts while it waits', async () => {
    const store = behind(
      concurrency(1),
      storeOf(() => chunks(1)),
    )
    const { body } = await store.read('x', call())
    const controller = new AbortController()
    const reason = new Error('waited long enough')
    const leaving = store.stat('x', call(controller.signal))
    const staying = store.stat('x', call())
    controller.abort(reason)
    await expect(leaving).rejects.toBe(reason)
    await collect(body)
    await expect(staying).resolves.toEqual({ size: 3 })
  })

  it('limits each store by itself', async () => {
    const layer = concurrency(1)
    const [one, other] = [
      behind(
        layer,
        storeOf(() => chunks(1)),
      ),
      behind(
        layer,
        storeOf(() => chunks(1)),
      ),
    ]
    await one.read('x', call())
    await expect(other.stat('x', call())).resolves.toEqual({ size: 3 })
  })

  it('refuses a limit that is none', () => {
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      expect(() => concurrency(limit)).toThrow('concurrency: limit must be a positive integer')
    }
  })
})
