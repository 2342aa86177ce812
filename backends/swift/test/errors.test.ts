import { describe, expect, it } from 'vitest'
import { statusError, transportError } from '../src/errors.ts'

const said = (status: number, text = '', retryAfter?: string) => statusError({ status, text, retryAfter }, 'PUT c/o')

describe('swift errors', () => {
  it.each([
    [401, 'unauthenticated', false],
    [403, 'permission_denied', false],
    [404, 'not_found', false],
    [408, 'unavailable', true],
    [409, 'unavailable', true],
    [422, 'unavailable', true],
    [429, 'rate_limited', true],
    [498, 'rate_limited', true],
    [499, 'unavailable', true],
    [500, 'unavailable', true],
    [503, 'unavailable', true],
    [507, 'storage_full', false],
    [418, 'unavailable', false],
  ])('%i is %s, retryable: %s', (status, code, retryable) => {
    expect(said(status)).toMatchObject({ code, retryable })
  })

  it('tells a used up quota from an object that is too large', () => {
    expect(said(413, '<html>Upload exceeds quota.</html>').code).toBe('storage_full')
    expect(said(413, '<html>Your request is too large.</html>').code).toBe('too_large')
  })

  it('passes on how long to wait, and nothing else the server wrote', () => {
    const error = said(503, 'token gAAAAsecret', '7')
    expect(error.details).toEqual({ afterMs: 7000 })
    expect(JSON.stringify(error) + String(error)).not.toContain('gAAAA')
    expect(said(503, '', 'soon').details).toEqual({})
  })

  it('names the code of a socket alone', () => {
    const error = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1 with token'), { code: 'ECONNREFUSED' })
    expect(transportError(error).message).toBe('swift store: the connection failed: ECONNREFUSED')
  })
})
