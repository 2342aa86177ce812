import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rbdLocation } from '../src/location.ts'

const FSID = '1a57e6cb-f4ea-4cad-8356-8a5f5073fd5d'

describe('an rbd location', () => {
  it('names cluster, pool, image and snapshot', () => {
    const at = { image: 'abc', at: { fsid: FSID, pool: 'images', snapshot: 'snap' } }
    expect(rbdLocation.format(at)).toBe(`rbd://${FSID}/images/abc/snap`)
    expect(rbdLocation.parse(rbdLocation.format(at))).toEqual(at)
    expect(rbdLocation.key?.(at)).toBe('abc')
  })

  it('has a namespace as a part of the pool', () => {
    const at = { image: 'abc', at: { fsid: FSID, pool: 'images', namespace: 'blue', snapshot: 'snap' } }
    expect(rbdLocation.format(at)).toBe(`rbd://${FSID}/images%2Fblue/abc/snap`)
    expect(rbdLocation.parse(rbdLocation.format(at))).toEqual(at)
  })

  it('may be an image alone, which is not encoded', () => {
    expect(rbdLocation.parse('rbd://my%20image')).toEqual({ image: 'my%20image' })
    expect(rbdLocation.format({ image: 'my%20image' })).toBe('rbd://my%20image')
    expect(rbdLocation.key?.({ image: 'x' })).toBe('x')
  })

  it('tells no key of a snapshot that is not ours', () => {
    expect(rbdLocation.key?.({ image: 'x', at: { fsid: FSID, pool: 'p', snapshot: 'daily' } })).toBeUndefined()
  })

  it('survives formatting and parsing whatever the names are', () => {
    const name = fc
      .string({ unit: 'binary', minLength: 1 })
      // oxlint-disable-next-line no-control-regex -- what names may not hold
      .filter((text) => text.isWellFormed() && !/[/@\u0000-\u001f\u007f]|^\.\.?$/.test(text))
    const location = fc.record({
      image: name,
      at: fc.record(
        { fsid: name, pool: name, namespace: name, snapshot: name },
        { requiredKeys: ['fsid', 'pool', 'snapshot'] },
      ),
    })
    fc.assert(
      fc.property(location, (at) => {
        const uri = rbdLocation.format(at)
        expect(uri).toMatch(/^rbd:\/\/[A-Za-z0-9%._~-]+(?:\/[A-Za-z0-9%._~-]+){3}$/)
        expect(rbdLocation.parse(uri)).toEqual(at)
        expect(rbdLocation.format(rbdLocation.parse(uri))).toBe(uri)
      }),
    )
  })

  it('never parses to a name that would lead elsewhere', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          const { image, at } = rbdLocation.parse(`rbd://${text}`)
          for (const part of [image, ...Object.values(at ?? {})]) expect(part).not.toMatch(/[/@\0]|^\.\.?$|^$/)
        } catch (error) {
          expect(error).not.toHaveProperty('matcherResult')
        }
      }),
    )
  })

  it.each([
    'rbd:images',
    'rbd://',
    'RBD://x',
    'rbd://a/b',
    'rbd://a/b/c',
    'rbd://a/b/c/d/e',
    'rbd:///b/c/d',
    'rbd://a//c/d',
    'rbd://a/b/c/',
    'rbd://a/b/%2e%2e/d',
    'rbd://a/b/c%2Fx/d',
    'rbd://a/b/c%40x/d',
    'rbd://a/b/c%00/d',
    'rbd://a/b%2Fc%2Fd/e/f',
    'rbd://a/b%2F/e/f',
    'rbd://a/b/%zz/d',
    'rbd://bücher',
    'rbd://a b',
    'rbd://..',
    'rbd://pool@snap',
  ])('is not %j', (uri) => {
    expect(() => rbdLocation.parse(uri)).toThrow(/./)
  })
})
