import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentLength, contentRange, isPlain, retryAfterMs, strongEtag } from '../src/headers.ts'
import { planOf, rangeHeader } from '../src/range.ts'

describe('headers', () => {
  it.each([
    ['bytes 0-99/1000', { first: 0, last: 99, total: 1000 }],
    ['BYTES 5-5/6', { first: 5, last: 5, total: 6 }],
    ['bytes 0-99/*', { first: 0, last: 99, total: undefined }],
    ['bytes */1000', { first: undefined, last: undefined, total: 1000 }],
    ['bytes 9-8/1000', undefined],
    ['bytes 0-1000/1000', undefined],
    ['bytes 0-99999999999999999/*', undefined],
    ['bytes 0-1/99999999999999999', undefined],
    ['bytes -5/10', undefined],
    ['items 0-1/2', undefined],
    [undefined, undefined],
  ])('reads the range %o', (header, range) => {
    expect(contentRange(header === undefined ? {} : { 'content-range': header })).toEqual(range)
  })

  it.each(['1e9', '0x10', ' 5', '-1', '+5', '5.0', '', '9007199254740993', '99999999999999999999'])(
    'takes no length of %o',
    (text) => {
      expect(contentLength({ 'content-length': text })).toBeUndefined()
    },
  )

  it('believes the transfer encoding rather than the length', () => {
    expect(contentLength({ 'content-length': '5' })).toBe(5)
    expect(contentLength({ 'content-length': '5', 'transfer-encoding': 'chunked' })).toBeUndefined()
  })

  it('knows encodings that change the bytes', () => {
    expect([{}, { 'content-encoding': 'Identity' }, { 'transfer-encoding': 'Chunked' }].every(isPlain)).toBe(true)
    expect(isPlain({ 'content-encoding': 'gzip' })).toBe(false)
    expect(isPlain({ 'transfer-encoding': 'gzip, chunked' })).toBe(false)
  })

  it.each([
    ['"a"', '"a"'],
    ['""', '""'],
    ['W/"a"', undefined],
    ['a', undefined],
    ['"a" "b"', undefined],
  ])('takes %o for the validator %o', (etag, validator) => {
    expect(strongEtag({ etag })).toBe(validator)
  })

  it.each([
    ['0', 0],
    ['120', 120_000],
    ['Thu, 01 Jan 1970 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 1969 23:59:00 GMT', 0],
    ['soon', undefined],
    ['1.5', undefined],
    ['', undefined],
  ])('understands Retry-After: %s', (text, ms) => {
    expect(retryAfterMs({ 'retry-after': text }, 0)).toBe(ms)
  })
})

describe('range', () => {
  /** An object of `size` bytes behind a server that honours ranges, or ignores them. */
  const size = fc.integer({ min: 0, max: 50 })
  const wanted = fc.record({
    offset: fc.integer({ min: 0, max: 60 }),
    length: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
  })

  it('means the same bytes whether the server honours it or not', () => {
    fc.assert(
      fc.property(size, wanted, fc.boolean(), (total, part, honours) => {
        const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(rangeHeader(part) ?? '') ?? []
        const end = Math.min(total, to === undefined || to === '' ? total : Number(to) + 1)
        const isMet = honours && from !== undefined
        const answer =
          isMet && Number(from) >= total
            ? { status: 416, headers: { 'content-range': `bytes */${total}` } }
            : isMet
              ? { status: 206, headers: { 'content-range': `bytes ${from}-${end - 1}/${total}` } }
              : { status: 200, headers: { 'content-length': `${total}` } }
        const { plan, size: whole } = planOf(answer, part, 1000)
        const sent = answer.status === 416 ? 0 : answer.status === 206 ? end - Number(from) : total
        const delivered = Math.max(0, Math.min(sent - plan.skip, plan.take ?? Number.POSITIVE_INFINITY))
        const want = Math.max(0, Math.min(total - part.offset, part.length ?? Number.POSITIVE_INFINITY))
        expect({ delivered, whole }).toEqual({ delivered: want, whole: total })
      }),
    )
  })

  it('accepts no open range of which the total is unknown for one that was bounded', () => {
    const answer = { status: 206, headers: { 'content-range': 'bytes 0-9/*' } }
    expect(() => planOf(answer, { offset: 0, length: 20 }, 0)).toThrow(/less or more/)
    expect(planOf(answer, { offset: 0, length: 10 }, 0).plan.expected).toBe(10)
  })
})
