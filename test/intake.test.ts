import fc from 'fast-check'
import { collect } from 'mullion'
import { seededBytes } from 'mullion/testkit'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { watchdog } from '../src/bytes.ts'
import { Intake, type IntakeRules } from '../src/intake.ts'
import { failureOf, gate } from './tiny-store.ts'

const RULES: IntakeRules = {
  label: 'a: add x',
  size: undefined,
  limit: 1e9,
  hashes: ['md5'],
  expect: {},
  onProgress: undefined,
  sourceIdleMs: undefined,
}
const { signal } = new AbortController()

function taking(chunks: Iterable<unknown>, rules: Partial<IntakeRules> = {}) {
  const source = (async function* () {
    yield* chunks as Iterable<Uint8Array>
  })()
  return new Intake(
    source,
    { ...RULES, ...rules },
    signal,
    watchdog(0, () => {}),
  )
}

describe('intake', () => {
  it('passes the same bytes on, and ends exactly when size and limit are met, whatever the chunks', async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 10 })
    const bound = fc.option(fc.integer({ min: 0, max: 200 }), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(sizes, bound, bound, async (lengths, size, limit) => {
        const total = lengths.reduce((sum, length) => sum + length, 0)
        let at = 0
        const chunks = lengths.map((length) => seededBytes(1, length, (at += length) - length))
        const taken = taking(chunks, { size, limit: limit ?? 1e9 })
        const result = await collect(taken).catch((error: unknown) => error)
        const fits = (size === undefined || size === total) && total <= (limit ?? 1e9)
        if (fits) {
          expect(Buffer.compare(result as Uint8Array, seededBytes(1, total))).toBe(0)
          expect(await taken.finish()).toMatchObject({ size: total })
        } else {
          expect(result).toMatchObject({ code: expect.stringMatching(/size_mismatch|too_large/) })
          expect(await failureOf(taken.finish())).toBe(result)
          expect(taken.failure()).toEqual({ error: result, foreign: false })
        }
      }),
    )
  })

  it('hands out no empty chunk', async () => {
    const body = taking([new Uint8Array(), seededBytes(1, 3), new Uint8Array()])
    const lengths = []
    for await (const chunk of body) lengths.push(chunk.byteLength)
    expect(lengths).toEqual([3])
  })

  it('says whether the source failed, and throws the same again when asked again', async () => {
    const error = new Error('broken')
    const source = (async function* () {
      yield new Uint8Array([1])
      throw error
    })()
    const taken = new Intake(
      source,
      RULES,
      signal,
      watchdog(0, () => {}),
    )
    expect(await failureOf(collect(taken))).toBe(error)
    expect(await failureOf(taken.next())).toBe(error)
    expect(taken.failure()).toEqual({ error, foreign: true })
  })

  it('fails at the end when the last report does', async () => {
    const taken = taking([seededBytes(1, 3)], {
      onProgress() {
        throw new Error('the screen is gone')
      },
    })
    await collect(taken).catch(() => {})
    await expect(taken.finish()).rejects.toThrow('the screen is gone')
  })

  it('reads on when the store lets go of the body at the size it was told', async () => {
    const taken = taking([seededBytes(1, 3)], { size: 3 })
    for await (const _chunk of taken) break
    expect(await taken.finish()).toMatchObject({ size: 3 })
  })

  it('gives a store that says it is alive as long as it takes, and one that is silent the limit', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const barks: string[] = []
    const source = (async function* () {
      yield seededBytes(1, 3)
    })()
    const body = new Intake(
      source,
      RULES,
      signal,
      watchdog(1000, (whom) => void barks.push(whom)),
    )
    await body.next()
    for (let beat = 0; beat < 5; beat += 1) {
      vi.advanceTimersByTime(900)
      body.alive()
    }
    expect(barks).toEqual([])
    vi.advanceTimersByTime(1000)
    expect(barks).toEqual(['store'])
    await body.release()
  })

  it('hands out and reports nothing once it is released, also to a store that waits for a chunk', async () => {
    const later = gate()
    const reports: unknown[] = []
    const source = (async function* () {
      yield seededBytes(1, 3)
      await later.opened
      yield seededBytes(1, 3, 3)
    })()
    const rules = { ...RULES, onProgress: (progress: unknown) => void reports.push(progress) }
    const body = new Intake(
      source,
      rules,
      signal,
      watchdog(0, () => {}),
    )
    await body.next()
    const waiting = failureOf(body.next())
    await body.release()
    later.open()
    expect(await waiting).toMatchObject({ code: 'closed' })
    expect(await failureOf(body.next())).toMatchObject({ code: 'closed' })
    expect(reports).toEqual([])
  })
})
