import { createStores } from 'mullion'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { s3 } from '../src/index.ts'
import { classify, failed, isPassing, isUncertain } from '../src/errors.ts'

/** As the SDK throws it. */
function sdkError(name: string, httpStatusCode?: number, more: object = {}): Error {
  return Object.assign(new Error('said'), { name, $metadata: { httpStatusCode }, ...more })
}

describe('errors', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it.each([
    ['NoSuchKey', 404, 'not_found'],
    ['NotFound', 404, 'not_found'],
    ['UnknownError', 404, 'not_found'],
    ['AccessDenied', 403, 'permission_denied'],
    ['403', 403, 'permission_denied'],
    ['InvalidAccessKeyId', 403, 'unauthenticated'],
    ['SignatureDoesNotMatch', 403, 'unauthenticated'],
    ['ExpiredToken', 400, 'unauthenticated'],
    ['QuotaExceeded', 403, 'storage_full'],
    ['EntityTooLarge', 400, 'storage_full'],
    ['Unheard', 413, 'storage_full'],
    ['Unheard', 507, 'storage_full'],
    ['SlowDown', 503, 'rate_limited'],
    ['Unheard', 429, 'rate_limited'],
    ['RequestTimeTooSkewed', 403, 'unavailable'],
    ['InvalidPart', 400, 'unavailable'],
    ['XAmzContentSHA256Mismatch', 400, 'unavailable'],
    ['InternalError', 200, 'unavailable'],
    ['Unheard', 502, 'unavailable'],
    ['SyntaxError', 503, 'unavailable'],
    ['PreconditionFailed', 412, 'conflict'],
    ['InvalidRequest', 412, 'conflict'],
    ['NotImplemented', 501, 'unsupported'],
    ['MalformedXML', 400, 'internal'],
  ])('classes %s with status %o as %s', (name, status, code) => {
    expect(classify(failed('Ask', sdkError(name, status)))).toBe(code)
  })

  it.each([
    ['ECONNREFUSED', 'unavailable'],
    ['ECONNRESET', 'unavailable'],
    ['EPIPE', 'unavailable'],
    ['ENOTFOUND', 'unavailable'],
    ['ETIMEDOUT', 'timeout'],
  ])('classes %s of a socket as %s, also where the SDK says TimeoutError', (code, expected) => {
    for (const name of ['Error', 'TimeoutError']) {
      const error = failed('Ask', sdkError(code === 'ETIMEDOUT' ? 'TimeoutError' : name, undefined, { code }))
      expect(classify(error)).toBe(expected)
      expect(isPassing(error)).toBe(true)
      expect(isUncertain(error)).toBe(true)
    }
  })

  it.each([
    ['NoSuchBucket', 404],
    ['PermanentRedirect', 301],
    ['AuthorizationHeaderMalformed', 400],
  ])('blames the configuration for %s', (name, status) => {
    const error = failed('Ask', sdkError(name, status))
    expect(error).toMatchObject({ code: 'invalid_config', retryable: false, details: { plugin: 's3' } })
  })

  it('takes what never left this process for certain', () => {
    const error = failed('Ask', sdkError('TypeError'))
    expect(classify(error)).toBe('internal')
    expect(isPassing(error)).toBe(false)
    expect(isUncertain(error)).toBe(false)
    const region = failed('Ask', new Error('Region is missing'))
    expect(region).toMatchObject({ code: 'invalid_config', message: /set region/ })
  })

  it('blames the configuration when AWS is meant and no region is named anywhere', async () => {
    for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/dev/null')
    const config = { bucket: 'images', accessKeyId: 'a', secretAccessKey: 'b', staleUploadMs: false } as const
    await using stores = await createStores({ stores: { s3: s3(config) }, default: 's3' })
    await expect(stores.add('id', new Uint8Array(1))).rejects.toMatchObject({ code: 'invalid_config' })
  })

  it('does not try again with a service whose certificate is not trusted', () => {
    const error = failed('Ask', sdkError('Error', undefined, { code: 'SELF_SIGNED_CERT_IN_CHAIN' }))
    expect(error).toMatchObject({ code: 'unavailable', retryable: false })
    expect(isPassing(error)).toBe(false)
  })

  it('says what was asked, what was answered and what to do, and keeps nothing of the request', () => {
    const error = failed('PutObject', sdkError('NotImplemented', 501, { $response: { secret: 'hunter2' } }))
    expect(error.message).toMatch(/^PutObject: 501 NotImplemented: said; if the service takes no If-None-Match, set/)
    expect(error.cause).toBeUndefined()
    expect(JSON.stringify(error)).not.toContain('hunter2')
  })

  it('passes its own errors through, and leaves those of others alone', () => {
    const error = failed('Ask', sdkError('SlowDown', 503))
    expect(failed('Again', error)).toBe(error)
    expect(classify(new Error('other'))).toBeUndefined()
  })
})
