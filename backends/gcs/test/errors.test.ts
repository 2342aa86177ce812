import { describe, expect, it } from 'vitest'
import { type Refusal, refusalError, transportError } from '../src/errors.ts'

const refusal = (status: number, more: Partial<Refusal> = {}): Refusal => ({
  status,
  reason: undefined,
  message: undefined,
  afterMs: undefined,
  ...more,
})

describe('errors', () => {
  it.each<[number, string | undefined, string, boolean]>([
    [400, 'invalid', 'invalid_argument', false],
    [401, 'authError', 'unauthenticated', false],
    [403, 'forbidden', 'permission_denied', false],
    [403, 'retentionPolicyNotMet', 'permission_denied', false],
    [403, 'rateLimitExceeded', 'rate_limited', true],
    [403, 'userRateLimitExceeded', 'rate_limited', true],
    [403, 'quotaExceeded', 'rate_limited', true],
    [404, 'notFound', 'not_found', false],
    [408, undefined, 'unavailable', true],
    [412, 'conditionNotMet', 'conflict', false],
    [413, 'uploadTooLarge', 'too_large', false],
    [429, 'rateLimitExceeded', 'rate_limited', true],
    [500, 'backendError', 'unavailable', true],
    [502, undefined, 'unavailable', true],
    [503, undefined, 'unavailable', true],
    [504, undefined, 'unavailable', true],
    [507, undefined, 'storage_full', false],
    [302, undefined, 'unavailable', false],
    [418, undefined, 'unavailable', false],
  ])('%i %s is %s, to be tried again: %j', (status, reason, code, retryable) => {
    const error = refusalError(refusal(status, { reason }), 'gs://bucket/key')
    expect(error).toMatchObject({ code, retryable })
    expect(error.message).toContain(String(status))
    expect(error.cause).toBeUndefined()
  })

  it('knows a rate limit by its message where there is no reason', () => {
    const message = 'The object exceeded the rate limit for object mutation operations.'
    expect(refusalError(refusal(403, { message }), 'x').code).toBe('rate_limited')
    expect(refusalError(refusal(403, { message, reason: 'forbidden' }), 'x').code).toBe('permission_denied')
  })

  it('never takes a missing bucket for a missing object', () => {
    const error = refusalError(refusal(404, { message: 'The specified bucket does not exist.' }), 'gs://bucket/key')
    expect(error).toMatchObject({ code: 'unavailable', retryable: false })
  })

  it('passes on what the service says, without addresses that are secrets', () => {
    const message = 'denied storage.objects.create at https://host/upload?upload_id=hunter2 for robot@example.com'
    const error = refusalError(refusal(403, { message: message + 'x'.repeat(1000) }), 'gs://bucket/key')
    expect(error.message).toContain('storage.objects.create')
    expect(error.message).not.toContain('hunter2')
    expect(error.message.length).toBeLessThan(500)
  })

  it('passes on how long to wait', () => {
    expect(refusalError(refusal(503, { afterMs: 3000 }), 'x').details).toEqual({ afterMs: 3000 })
    expect(refusalError(refusal(429, { afterMs: 3000 }), 'x').details).toEqual({ afterMs: 3000 })
  })

  it.each([
    ['ECONNREFUSED', true],
    ['ECONNRESET', true],
    ['ENOTFOUND', true],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', false],
    ['HPE_INVALID_CONSTANT', false],
  ])('a connection that fails with %s may be tried again: %j', (code, retryable) => {
    const error = transportError(Object.assign(new Error('token hunter2'), { code }))
    expect(error).toMatchObject({ code: 'unavailable', retryable })
    expect(error.message).toContain(code)
    expect(error.message).not.toContain('hunter2')
  })
})
