import { getEventListeners, once } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { Outbox, type OutboxOptions } from '../../src/notifications/outbox.ts'
import { DeliveryFailure, type Parcel, type Transport } from '../../src/notifications/transport.ts'
import { numberOf, numbered, recordingLog } from './recording.ts'

const WITHIN = { timeout: 20_000, interval: 1 }

const OPTIONS = {
  maxCount: 100,
  maxBytes: 1_000_000,
  attemptMs: 10_000,
  giveUpMs: 60_000,
  closeMs: 5_000,
  pauseMs: 1,
  maxPauseMs: 4,
}

/** An outbox over a transport that does what `deliver` does; without it, everything arrives. */
function outbox(deliver?: Transport['deliver'], options: Partial<OutboxOptions> = {}) {
  const arrived: number[] = []
  const log = recordingLog()
  const state = { closed: 0 }
  const box = new Outbox(
    {
      name: 'test',
      encode: ({ payload }) => Buffer.from(payload as string),
      async deliver(parcel, signal) {
        await deliver?.(parcel, signal)
        arrived.push(numberOf(parcel))
      },
      close: () => Promise.resolve(void (state.closed += 1)),
    },
    { ...OPTIONS, log, ...options },
  )
  return { box, arrived, log, state }
}

/** Never answers, but stops when asked to. */
async function silence(_parcel: Parcel, signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

function add(box: Outbox, from: number, to: number): void {
  for (let n = from; n <= to; n += 1) box.add(numbered(n))
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

describe('the outbox', () => {
  it('delivers in order, one at a time, and says nothing about it', async () => {
    let running = 0
    const { box, arrived, log } = outbox(async () => {
      expect(++running).toBe(1)
      await new Promise(setImmediate)
      running -= 1
    })
    add(box, 1, 50)
    await box.close()
    expect(arrived).toEqual(range(1, 50))
    expect(log.lines).toEqual([])
  })

  it('takes a notification without waiting for its delivery', () => {
    const { box, arrived } = outbox(silence)
    expect(box.add(numbered(1))).toBeUndefined()
    expect(arrived).toEqual([])
    return outbox(silence, { closeMs: 0 }).box.close()
  })

  it('tries again what failed, before anything later, and says once that it fails and once that it is over', async () => {
    let failures = 5
    const { box, arrived, log } = outbox(async () => {
      if (failures-- > 0) throw new Error('connection refused')
    })
    add(box, 1, 3)
    await vi.waitUntil(() => arrived.length === 3, WITHIN)
    expect(arrived).toEqual([1, 2, 3])
    expect(log.lines).toEqual([
      {
        level: 'warn',
        fields: { notifier: 'test', reason: 'connection refused' },
        message: 'notifications cannot be delivered; trying again',
      },
      { level: 'info', fields: { notifier: 'test', lost: 0 }, message: 'notifications are delivered again' },
    ])
    await box.close()
  })

  it('goes on with the next when one is refused for good', async () => {
    const { box, arrived, log } = outbox(async (parcel) => {
      if (numberOf(parcel) <= 2) throw new DeliveryFailure('answered 410', { final: true })
    })
    add(box, 1, 3)
    await box.close()
    expect(arrived).toEqual([3])
    expect(log.lines).toMatchObject([
      { level: 'error', fields: { reason: 'answered 410' }, message: 'notifications are being lost' },
      { level: 'info', fields: { lost: 2 } },
    ])
  })

  it('gives a try up after its time', async () => {
    let first = true
    const { box, arrived, log } = outbox(
      async (parcel, signal) => {
        if (first) {
          first = false
          await silence(parcel, signal)
        }
      },
      { attemptMs: 20 },
    )
    add(box, 1, 1)
    await vi.waitUntil(() => arrived.length === 1, WITHIN)
    expect(log.lines[0]?.fields['reason']).toBe('no answer within 0.02 s')
    await box.close()
  })

  it('waits as long as it is asked to, and no longer than is right', async () => {
    const times: number[] = []
    const { box, arrived } = outbox(
      async () => {
        times.push(performance.now())
        if (times.length === 1) throw new DeliveryFailure('answered 429', { retryAfterMs: 40 })
        if (times.length === 2) throw new DeliveryFailure('answered 429', { retryAfterMs: 3_600_000 })
      },
      { maxRetryAfterMs: 60 },
    )
    add(box, 1, 1)
    await vi.waitUntil(() => arrived.length === 1, WITHIN)
    const [first = 0, second = 0, third = 0] = times
    expect(second - first).toBeGreaterThanOrEqual(39)
    expect(third - second).toBeGreaterThanOrEqual(59)
    expect(third - second).toBeLessThan(10_000)
    await box.close()
  })

  it('drops what is too old, all of it at once', async () => {
    let failing = Promise.withResolvers<void>()
    const { box, arrived, log } = outbox(() => failing.promise, { giveUpMs: 30 })
    add(box, 1, 20)
    const added = performance.now()
    await vi.waitUntil(() => performance.now() - added > 31, WITHIN)
    failing.reject(new Error('connection refused'))
    await vi.waitUntil(() => log.lines.length === 2, WITHIN)
    failing = Promise.withResolvers()
    failing.resolve()
    add(box, 21, 22)
    await box.close()
    expect(arrived).toEqual([21, 22])
    expect(log.lines.map(({ level, fields }) => [level, fields['reason'] ?? fields['lost']])).toEqual([
      ['warn', 'connection refused'],
      ['error', 'not delivered within 0.03 s: connection refused'],
      ['info', 20],
    ])
  })
})

describe('an outbox that is full', () => {
  it('drops the oldest but for the one on its way, and says so once', async () => {
    const arrival = Promise.withResolvers<void>()
    const { box, arrived, log } = outbox(() => arrival.promise, { maxCount: 4 })
    add(box, 1, 1000)
    arrival.resolve()
    await box.close()
    expect(arrived).toEqual([1, 998, 999, 1000])
    expect(log.lines).toMatchObject([
      { level: 'error', fields: { reason: 'the queue is full: the oldest are dropped' } },
      { level: 'info', fields: { lost: 996 } },
    ])
  })

  it('says it once for as long as it never runs empty, although some are delivered', async () => {
    let rounds = 20
    const { box, log } = outbox(
      async () => {
        if (rounds-- > 0) add(box, 1, 10)
      },
      { maxCount: 3 },
    )
    add(box, 1, 1)
    await vi.waitUntil(() => rounds === -2, WITHIN)
    await box.close()
    expect(log.messages()).toEqual(['notifications are being lost', 'notifications are delivered again'])
    expect(log.lines[1]?.fields['lost']).toBe(1 + 20 * 10 - 22)
  })

  it('counts bytes as well', async () => {
    const arrival = Promise.withResolvers<void>()
    const { box, arrived, log } = outbox(() => arrival.promise, { maxBytes: 100 })
    box.add(numbered(1, 'x'.repeat(10)))
    for (const n of range(2, 9)) box.add(numbered(n, 'x'.repeat(30)))
    box.add(numbered(10, 'x'.repeat(101)))
    box.add(numbered(11, 'x'.repeat(91)))
    box.add(numbered(12, 'x'.repeat(90)))
    arrival.resolve()
    await box.close()
    expect(arrived).toEqual([1, 12])
    expect(log.messages()).toEqual(['notifications are being lost', 'notifications are delivered again'])
    expect(log.lines.at(-1)?.fields['lost']).toBe(10)
  })
})

describe('an outbox that is closed', () => {
  it('delivers what waits, without the pause that runs', async () => {
    let fail = true
    const { box, arrived, state } = outbox(
      async () => {
        if (fail) throw new Error('away')
      },
      { pauseMs: 3_600_000, maxPauseMs: 3_600_000 },
    )
    add(box, 1, 3)
    await new Promise(setImmediate)
    fail = false
    await box.close()
    expect([arrived, state.closed]).toEqual([[1, 2, 3], 1])
  })

  it('gives up after its time, aborts what runs and says how many were lost', async () => {
    const { box, arrived, log, state } = outbox(silence, { closeMs: 20 })
    add(box, 1, 3)
    const begun = performance.now()
    await box.close()
    expect(performance.now() - begun).toBeLessThan(2_000)
    expect([arrived, state.closed]).toEqual([[], 1])
    expect(log.lines).toMatchObject([
      { level: 'error', fields: { lost: 3 }, message: 'notifications were lost by the end' },
    ])
  })

  it('gives up in the middle of a pause', async () => {
    const failing = () => Promise.reject(new DeliveryFailure('answered 503', { retryAfterMs: 100_000 }))
    const { box, log } = outbox(failing, { closeMs: 20 })
    add(box, 1, 1)
    await box.close()
    expect(log.lines.at(-1)).toMatchObject({ fields: { lost: 1 } })
  })

  it('takes nothing more, aloud, and can be closed again', async () => {
    const { box, arrived, log, state } = outbox()
    await Promise.all([box.close(), box.close()])
    add(box, 1, 2)
    await box.close()
    expect([arrived, state.closed]).toEqual([[], 1])
    expect(log.lines).toMatchObject([{ fields: { reason: 'the server stops' } }])
  })

  it('leaves no listener behind on a signal that lives on', async () => {
    const signals: AbortSignal[] = []
    const { box } = outbox(async (_parcel, signal) => void signals.push(signal))
    add(box, 1, 20)
    await box.close()
    expect(signals.every((signal) => getEventListeners(signal, 'abort').length === 0)).toBe(true)
  })
})
