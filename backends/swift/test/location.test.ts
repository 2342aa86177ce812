import fc from 'fast-check'
import { isMullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { location, referenceLocation, urlLocation } from '../src/location.ts'

const SECRET = 'hunter2secret'

describe('swift location', () => {
  it.each([
    ['swift+https://swift.example:8080/v1/AUTH_x/glance/1b2c', 'https://swift.example:8080/v1/AUTH_x'],
    ['swift+http://127.0.0.1/swift/v1/glance/1b2c', 'http://127.0.0.1/swift/v1'],
    ['swift://host/v1/AUTH_x/glance/1b2c', 'https://host/v1/AUTH_x'],
  ])('reads the storage URL of %s', (uri, storageUrl) => {
    const at = location.parse(uri)
    expect(at).toMatchObject({ form: 'url', storageUrl, container: 'glance', object: '1b2c' })
    expect(location.format(at)).toBe(uri)
    expect(location.key?.(at)).toBe('1b2c')
  })

  it('reads the reference of a Glance configuration file', () => {
    const at = location.parse('swift+config://ref1/glance/1b2c')
    expect(at).toMatchObject({ form: 'reference', reference: 'ref1', container: 'glance', object: '1b2c' })
  })

  it('reads the credentials that Glance wrote into locations', () => {
    const at = location.parse('swift+http://acc:us%40er:p%3A%2Fss@auth.example:5000/v3/glance/1b2c')
    expect(at).toMatchObject({
      form: 'credentials',
      authUrl: 'http://auth.example:5000/v3',
      user: 'acc:us@er',
      key: 'p:/ss',
    })
  })

  it('gives back every location it makes', () => {
    const name = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => {
      const isPlain = !/[/\p{Cc}\p{Cs}]/u.test(text)
      return isPlain && text !== '.' && text !== '..'
    })
    fc.assert(
      fc.property(name, name, fc.constantFrom('https://h/v1/AUTH_x', 'http://[::1]:81/swift/v1'), (c, o, url) => {
        for (const made of [urlLocation(url, c, o), referenceLocation('ref-1.x', c, o)]) {
          expect(location.parse(location.format(made))).toEqual(made)
        }
      }),
    )
  })

  it.each([
    '',
    'swift://',
    'swift+https://host',
    'swift+https://host/container',
    'swift+ftp://host/v1/c/o',
    'SWIFT+https://host/v1/c/o',
    `swift+https://a:b:${SECRET}@c@host/v1/c/o`,
    `swift+https://${SECRET}@host/v1/c/o`,
    `swift+https://a:%zz${SECRET}@host/v1/c/o`,
    'swift+https://host/v1/../c/o',
    'swift+https://host/v1/c/..',
    'swift+https://host/v1/c/%2e%2e',
    'swift+https://host/v1/c/a%2fb',
    'swift+https://host/v1/c/a%00b',
    'swift+https://host/v1/%2e%2e/c/o',
    'swift+https://host//c/o',
    'swift+https://HOST/v1/c/o',
    'swift+https://host:99999/v1/c/o',
    'swift+https://0x7f.1/v1/c/o',
    'swift+https://host/v1/c/o?x',
    'swift+https://host/v1/c/o#x',
    'swift+https://host/v1/c\\d/o',
    'swift+config://ref/more/c/o',
    `swift+https://host/v1/c/${'x'.repeat(5000)}`,
  ])('refuses %j and says nothing of it', (uri) => {
    let error: unknown
    try {
      location.parse(uri)
    } catch (thrown) {
      error = thrown
    }
    expect(isMullionError(error, 'invalid_location')).toBe(true)
    expect(String(error)).not.toContain(SECRET)
  })

  it('throws nothing but invalid_location, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const uri = `swift+https://${text}`
          expect(location.format(location.parse(uri))).toBe(uri)
        } catch (error) {
          if (!isMullionError(error, 'invalid_location')) throw error
        }
      }),
    )
  })
})
