import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { lifetime } from '../src/lifetime.ts'

describe('lifetime', () => {
  it('aborts what is under way, waits until all of it is over, then does the rest', async () => {
    const order: string[] = []
    const { begin, close } = lifetime(async () => void order.push('after'))
    const [one, two] = [begin(undefined), begin(undefined)]
    const closing = close().then(() => order.push('closed'))
    expect([one.scope.signal.reason, two.scope.signal.reason]).toMatchObject([{ code: 'closed' }, { code: 'closed' }])
    one.end()
    one.end()
    await new Promise(setImmediate)
    expect(order).toEqual([])
    two.end()
    await closing
    expect(order).toEqual(['after', 'closed'])
  })

  it('does the rest once, and lets every close wait for it', async () => {
    let times = 0
    const { begin, close } = lifetime(async () => void (times += 1))
    begin(undefined).end()
    await Promise.all([close(), close()])
    await close()
    expect(times).toBe(1)
    expect(() => begin(undefined)).toThrow(expect.objectContaining({ code: 'closed' }))
  })

  it('says at every close what the rest failed with', async () => {
    const { close } = lifetime(() => Promise.reject(new Error('flush failed')))
    await expect(close()).rejects.toThrow('flush failed')
    await expect(close()).rejects.toThrow('flush failed')
  })

  it('follows the signal of a caller until the call is over', () => {
    const { begin } = lifetime(async () => {})
    const controller = new AbortController()
    const running = begin(controller.signal)
    const over = begin(controller.signal)
    over.end()
    controller.abort(new Error('enough'))
    expect([running.scope.signal.aborted, over.scope.signal.aborted]).toEqual([true, false])
    running.end()
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })
})
