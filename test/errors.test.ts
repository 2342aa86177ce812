import { inspect } from 'node:util'
import { ERRORS, inContext, isMullionError, MullionError } from 'mullion'
import { describe, expect, it } from 'vitest'

const notFound = new MullionError('not_found', 'nothing there', { details: { location: 'memory://a' } })

describe('MullionError', () => {
  it('says its code, details and context, and prints its message', () => {
    const error = new MullionError('too_large', 'fast: add a: larger than 3 bytes', {
      details: { limit: 3 },
      context: { store: 'fast' },
      cause: notFound,
    })
    expect(error).toMatchObject({
      name: 'MullionError',
      code: 'too_large',
      details: { limit: 3 },
      context: { store: 'fast' },
    })
    expect(error.cause).toBe(notFound)
    expect(inspect(error)).toContain('fast: add a: larger than 3 bytes')
  })

  it('has no cause at all unless one is given', () => {
    expect('cause' in notFound).toBe(false)
  })

  it.each(Object.keys(ERRORS))('is retryable by default only where waiting helps: %s', (code) => {
    const { retryable } = new MullionError(code as 'closed', code, { details: {} })
    expect(retryable).toBe(['unavailable', 'timeout', 'rate_limited'].includes(code))
  })

  it('lets the thrower decide whether to try again', () => {
    expect(new MullionError('unavailable', 'x', { details: {}, retryable: false }).retryable).toBe(false)
    expect(new MullionError('internal', 'x', { details: {}, retryable: true }).retryable).toBe(true)
  })
})

describe('isMullionError', () => {
  it('tells codes apart', () => {
    expect(isMullionError(notFound)).toBe(true)
    expect(isMullionError(notFound, 'not_found')).toBe(true)
    expect(isMullionError(notFound, 'in_use')).toBe(false)
  })

  it('recognises an error of another installed copy', () => {
    const foreign = { [Symbol.for('mullion.error')]: true, code: 'in_use' }
    expect(isMullionError(foreign, 'in_use')).toBe(true)
  })

  it.each([undefined, null, 0, 'not_found', new Error('x'), { code: 'not_found' }])('refuses %o', (value) => {
    expect(isMullionError(value)).toBe(false)
  })
})

describe('inContext', () => {
  it('adds what was not known and keeps what was', () => {
    const first = inContext(notFound, { store: 'near', operation: 'read' })
    const second = inContext(first, { store: 'far', imageId: 'a' })
    expect(second.context).toEqual({ store: 'near', operation: 'read', imageId: 'a' })
    expect(second).toMatchObject({ code: 'not_found', message: 'nothing there', details: notFound.details })
  })

  it('keeps stack, cause and retryability, and leaves the original as it was', () => {
    const cause = new Error('socket hang up')
    const original = new MullionError('unavailable', 'x', { details: {}, cause })
    const copy = inContext(original, { attempt: 3 }, false)
    expect(copy.stack).toBe(original.stack)
    expect(copy.cause).toBe(cause)
    expect([copy.retryable, original.retryable]).toEqual([false, true])
    expect(inContext(original, {}).retryable).toBe(true)
    expect(original.context).toEqual({})
  })
})
