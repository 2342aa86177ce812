import fc from 'fast-check'
import { isMullionError, redactUri } from 'mullion'
import { describe, expect, it } from 'vitest'
import { ownedBy, s3Location } from '../src/location.ts'

const { parse, format, key } = s3Location('images/')

describe('locations', () => {
  it('reads what it writes, whatever bucket and key', () => {
    const word = (characters: string) =>
      fc.string({ unit: fc.constantFrom(...characters.split('')), minLength: 1, maxLength: 9 })
    const bucket = word('abcz019').map((middle) => `b${middle}9`)
    const name = fc.array(word("aZ09._-!*'() é漢"), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(bucket, name, (first, segments) => {
        fc.pre(segments.every((segment) => segment !== '.' && segment !== '..'))
        const at = { bucket: first, key: segments.join('/') }
        expect(parse(format(at))).toEqual(at)
      }),
    )
  })

  it('reads or refuses any text, and never lets a secret through', () => {
    const scheme = fc.constantFrom('s3', 's3+http', 's3+https', 'S3', 'http')
    fc.assert(
      fc.property(scheme, fc.string(), fc.string(), (name, before, after) => {
        try {
          const uri = format(parse(`${name}://${before}:hunter2@${after}`))
          expect(uri).not.toContain('hunter2')
        } catch (error) {
          expect(isMullionError(error, 'invalid_location')).toBe(true)
          expect(String(error)).not.toContain('hunter2')
        }
      }),
    )
  })

  it.each([
    ['s3://key:secret@s3.example.org/bucket/id', 's3.example.org'],
    ['s3+http://key:secret@127.0.0.1:9000/bucket/id', '127.0.0.1:9000'],
    ['s3+https://key:sec/ret/@S3.Example.org/bucket/id', 's3.example.org'],
    ['s3+https://key:secret@[::1]:80/bucket/id', '[::1]:80'],
    ['s3+https://key:secret@host/some/path/bucket/id', 'host'],
    ['s3+https://host/bucket/id', 'host'],
  ])('reads %s as Glance meant it, and forgets the credentials', (uri, host) => {
    const at = parse(uri)
    expect(at).toEqual({ bucket: 'bucket', key: 'id', host })
    expect(format(at)).toBe('s3://bucket/id')
    expect(redactUri(uri)).not.toMatch(/key:sec/)
  })

  it.each([
    's3://',
    's3:///key',
    's3://bucket',
    's3://bucket/',
    's3://bucket//key',
    's3://bucket/a/../b',
    's3://bucket/./a',
    's3://bucket/a/',
    's3://../key',
    's3://b/key',
    's3://bucket/a%2e%2e',
    's3://bucket/a?b',
    's3://bucket/a#b',
    's3://bucket/a\\b',
    's3://bucket/a\nb',
    's3://bucket/a\u202eb',
    `s3://bucket/${'x'.repeat(1025)}`,
    's3+https://host/key',
    's3+https://ho st/bucket/key',
    's3+https://key:secret@/bucket/key',
    's3+ftp://host/bucket/key',
    'http://bucket/key',
  ])('refuses %s', (uri) => {
    expect(() => parse(uri)).toThrow(expect.objectContaining({ code: 'invalid_location' }))
  })

  it('knows its own keys', () => {
    expect(key?.({ bucket: 'bucket', key: 'images/id' })).toBe('id')
    expect(key?.({ bucket: 'bucket', key: 'images/a/b' })).toBeUndefined()
    expect(key?.({ bucket: 'bucket', key: 'other/id' })).toBeUndefined()
    expect(key?.({ bucket: 'bucket', key: 'images/.id' })).toBeUndefined()
  })

  const store = { bucket: 'bucket', prefix: 'images/', endpoint: 'https://s3.example.org', legacyHosts: ['old:9000'] }
  it.each<[string, object, boolean]>([
    ['s3://bucket/images/id', store, true],
    ['s3://bucket/images/deep/id', store, true],
    ['s3://other/images/id', store, false],
    ['s3://bucket/imagesid', store, false],
    ['s3://bucket/id', store, false],
    ['s3+https://k:s@s3.example.org/bucket/id', store, false],
    ['s3+https://k:s@s3.example.org/bucket/id', { ...store, prefix: '' }, true],
    ['s3+https://k:s@s3.example.org:443/bucket/id', { ...store, prefix: '' }, true],
    ['s3+https://k:s@s3.example.org:444/bucket/id', { ...store, prefix: '' }, false],
    ['s3+https://k:s@evil.example.org/bucket/id', { ...store, prefix: '' }, false],
    ['s3+https://k:s@old:9000/bucket/id', { ...store, prefix: '' }, true],
    ['s3+https://k:s@s3.eu-west-1.amazonaws.com/bucket/id', { ...store, prefix: '', endpoint: undefined }, true],
    ['s3+https://k:s@s3.amazonaws.com.evil.org/bucket/id', { ...store, prefix: '', endpoint: undefined }, false],
  ])('decides whether %s lies in a store', (uri, settings, owned) => {
    expect(ownedBy({ ...store, ...settings }, parse(uri))).toBe(owned)
  })
})
