import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { slots } from '../src/slots.ts'
import { failureOf } from './tiny-store.ts'

const { signal } = new AbortController()

describe('slots', () => {
  it('lets as many in as there are places, the others in the order they came', async () => {
    const { take } = slots(2)
    const gives = [await take(signal), await take(signal)]
    const order: number[] = []
    const waiting = [1, 2, 3].map((number) => take(signal).then((give) => [order.push(number), give] as const))
    await Promise.resolve()
    expect(order).toEqual([])
    gives[0]?.()
    const [, give] = (await waiting[0]) ?? []
    expect(order).toEqual([1])
    gives[1]?.()
    await waiting[1]
    give?.()
    await waiting[2]
    expect(order).toEqual([1, 2, 3])
  })

  it('takes a place back once, however often it is given', async () => {
    const { take } = slots(1)
    const give = await take(signal)
    give()
    give()
    await take(signal)
    let second = false
    void take(signal).then(() => {
      second = true
    })
    await new Promise(setImmediate)
    expect(second).toBe(false)
  })

  it('rejects with the reason when aborted before or while waiting, and the next one moves up', async () => {
    const { take } = slots(1)
    const reason = new Error('changed my mind')
    expect(await failureOf(take(AbortSignal.abort(reason)))).toBe(reason)
    const give = await take(signal)
    const controller = new AbortController()
    const leaving = take(controller.signal)
    const staying = take(signal)
    controller.abort(reason)
    expect(await failureOf(leaving)).toBe(reason)
    give()
    await staying
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('never has more inside than places, and loses none, whatever the order of events', async () => {
    const event = fc.constantFrom('take', 'give', 'abort')
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(event, { maxLength: 40 }), async (limit, events) => {
        const { take } = slots(limit)
        const inside: (() => void)[] = []
        const waiting = new Set<AbortController>()
        for (const what of events) {
          if (what === 'give') inside.shift()?.()
          if (what === 'abort') [...waiting].at(-1)?.abort(new Error('leave'))
          if (what === 'take') {
            const controller = new AbortController()
            waiting.add(controller)
            take(controller.signal)
              .then(
                (give) => inside.push(give),
                () => {},
              )
              .finally(() => waiting.delete(controller))
          }
          await new Promise(setImmediate)
          expect(inside.length).toBeLessThanOrEqual(limit)
          if (waiting.size > 0) expect(inside.length).toBe(limit)
        }
      }),
      { numRuns: 50 },
    )
  })
})
