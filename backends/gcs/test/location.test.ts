import fc from 'fast-check'
import { isMullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { checkedKey, formatUri, gcsLocation, isBucketName, parseUri } from '../src/location.ts'

const bucketName = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{1,20}[a-z0-9]$/)
const objectName = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 60 })
  .filter((text) => text.isWellFormed() && !/\p{Cc}/u.test(text))
  .filter((text) => text.split('/').every((part) => part !== '.' && part !== '..'))

function refusal(uri: string): string {
  try {
    parseUri(uri)
  } catch (error) {
    if (isMullionError(error, 'invalid_location')) return error.message
    throw error
  }
  throw new Error(`${uri} was taken`)
}

describe('location', () => {
  it('is written and read without loss for every name that it takes', () => {
    fc.assert(
      fc.property(bucketName, objectName, (bucket, object) => {
        const uri = formatUri({ bucket, object })
        expect(parseUri(uri)).toEqual({ bucket, object })
        expect(uri).toMatch(/^gs:\/\/[a-z0-9_-]+\/[\x21-\x7e]+$/)
        expect(uri.slice(5)).not.toMatch(/[?#@\\]/)
      }),
    )
  })

  it('has one text for each object', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), fc.string(), (url, tail) => {
        for (const uri of [url.replace(/^https?/, 'gs'), `gs://bucket/${tail}`]) {
          let parsed: ReturnType<typeof parseUri> | undefined
          try {
            parsed = parseUri(uri)
          } catch (error) {
            expect(isMullionError(error, 'invalid_location')).toBe(true)
          }
          if (parsed) expect(formatUri(parsed)).toBe(uri)
        }
      }),
    )
  })

  it.each([
    'gs://',
    'gs:///',
    'gs:////',
    'gs://bucket',
    'gs://bucket/',
    'GS://bucket/key',
    's3://bucket/key',
    'gs://Bucket/key',
    'gs://bu cket/key',
    'gs://user:hunter2@bucket/key',
    'gs://bucket:443/key',
    'gs://b/key',
    'gs://-bucket/key',
    'gs://bucket/.',
    'gs://bucket/..',
    'gs://bucket/../key',
    'gs://bucket/a/../key',
    'gs://bucket/%2e%2e/key',
    'gs://bucket/..%2fkey',
    'gs://bucket/a%2Fb',
    'gs://bucket/%61',
    'gs://bucket/%c3%bc',
    'gs://bucket/a b',
    'gs://bucket/a?hunter2',
    'gs://bucket/a#hunter2',
    'gs://bucket/a@hunter2',
    'gs://bucket/a\\b',
    'gs://bucket/a\nb',
    'gs://bucket/%0A',
    'gs://bucket/%00',
    'gs://bucket/%C2%80',
    'gs://bucket/%FF',
    'gs://bucket/%',
    'gs://bucket/ü',
    `gs://bucket/${'x'.repeat(1025)}`,
    `gs://bucket/${'x'.repeat(100_000)}`,
  ])('refuses %s and repeats nothing of it', (uri) => {
    const message = refusal(uri)
    expect(message).not.toContain('hunter2')
  })

  it.each([
    'gs://bucket/key',
    'gs://bucket/a/b/key',
    'gs://bucket//key',
    'gs://bucket/a%20b',
    'gs://bucket/%C3%BC',
    'gs://bucket/%40%3F%23%25',
    'gs://bucket/...',
    'gs://my.bucket.example/key',
    `gs://bucket/${'x'.repeat(1024)}`,
  ])('takes %s', (uri) => {
    expect(formatUri(parseUri(uri))).toBe(uri)
  })

  it('does not write down which generation it means', () => {
    expect(formatUri({ bucket: 'bucket', object: 'key', generation: '17' })).toBe('gs://bucket/key')
  })

  it('tells the key below its prefix only', () => {
    const { key } = gcsLocation('images/')
    expect(key?.(parseUri('gs://bucket/images/key'))).toBe('key')
    expect(key?.(parseUri('gs://bucket/images/a/key'))).toBeUndefined()
    expect(key?.(parseUri('gs://bucket/key'))).toBeUndefined()
    expect(key?.(parseUri('gs://bucket/images/%C3%BC'))).toBeUndefined()
    expect(gcsLocation('').key?.(parseUri('gs://bucket/key'))).toBe('key')
  })

  it.each(['', '.', '..', '.x', 'a/b', 'é', 'x'.repeat(256)])('refuses the key %j', (key) => {
    expect(() => checkedKey(key)).toThrow('key: expected 1 to 255')
  })

  it.each([
    ['abc', true],
    ['a.b_c-d', true],
    ['ab', false],
    ['a..b', false],
    ['x'.repeat(63), true],
    ['x'.repeat(64), false],
    [`${'x'.repeat(63)}.${'y'.repeat(63)}`, true],
    ['a/b', false],
    ['a.', false],
  ])('knows whether %j names a bucket: %j', (name, isOne) => {
    expect(isBucketName(name)).toBe(isOne)
  })
})
