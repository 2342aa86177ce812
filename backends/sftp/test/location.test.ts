import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { location, type SftpLocation } from '../src/location.ts'

describe('an sftp location', () => {
  it.each<[SftpLocation, string]>([
    [{ user: 'glance', host: 'images.example', port: 22, path: '/srv/x' }, 'sftp://glance@images.example/srv/x'],
    [{ user: 'glance', host: 'images.example', port: 2222, path: '/x' }, 'sftp://glance@images.example:2222/x'],
    [{ user: 'a:b@c/d', host: '192.0.2.7', port: 22, path: '/x' }, 'sftp://a%3Ab%40c%2Fd@192.0.2.7/x'],
    [{ user: 'jörg', host: 'fd00::1', port: 22, path: '/x' }, 'sftp://j%C3%B6rg@[fd00::1]/x'],
    [{ user: undefined, host: '::1', port: 22022, path: '/50% off/a?b' }, 'sftp://[::1]:22022/50%25%20off/a%3Fb'],
  ])('of %o is %s and back', (at, uri) => {
    expect(location.format(at)).toBe(uri)
    expect(location.parse(uri)).toEqual(at)
  })

  it('survives formatting and parsing whatever the names are', () => {
    const unit = fc.constantFrom(...Array.from('aZ0.-_~ %2F/?#[]:@!&=+;,\\"\n\u0001\u007fé日𝄞'))
    const text = (forbidden: RegExp): fc.Arbitrary<string> =>
      fc.string({ unit, minLength: 1, maxLength: 12 }).filter((each) => !forbidden.test(each))
    const at = fc.record({
      user: fc.option(text(/\0/), { nil: undefined }),
      host: fc.constantFrom('images.example', '192.0.2.7', 'fd00::1'),
      port: fc.integer({ min: 1, max: 65_535 }),
      path: fc.array(text(/[/\0]|^\.\.?$/), { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`),
    })
    fc.assert(
      fc.property(at, (each) => {
        const uri = location.format(each)
        expect(location.parse(uri)).toEqual(each)
        expect(location.format(location.parse(uri))).toBe(uri)
      }),
    )
  })

  it('throws no more than an Error for any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `sftp://${text}`),
        ),
        (uri) => {
          try {
            location.parse(uri)
          } catch (error) {
            expect(error).toBeInstanceOf(Error)
          }
        },
      ),
    )
  })

  it('never holds a password, nor repeats one', () => {
    for (const uri of ['sftp://user:hunter2@host/x', 'sftp://:hunter2@host/x', 'sftp://user:hunter2@host']) {
      expect(() => location.parse(uri)).toThrow(/^(?!.*hunter2)/)
    }
  })

  it('tells the key of an object, unless its name is none', () => {
    expect(location.key?.(location.parse('sftp://u@h/srv/images/5d1c.img'))).toBe('5d1c.img')
    expect(location.key?.(location.parse('sftp://u@h/srv/images/.hidden'))).toBeUndefined()
    expect(location.key?.(location.parse('sftp://u@h/srv/images/two%20words'))).toBeUndefined()
  })

  it.each([
    'sftp://user@host',
    'sftp://user@host/',
    'sftp://user@/x',
    'sftp:///x',
    'sftp://@host/x',
    'sftp://a@b@host/x',
    'sftp://user@host:/x',
    'sftp://user@host:0/x',
    'sftp://user@host:65536/x',
    'sftp://user@host:022/x',
    'sftp://user@host:22a/x',
    'sftp://user@ho%73t/x',
    'sftp://user@[host]/x',
    'sftp://user@[::1/x',
    'sftp://user@::1/x',
    'sftp://user@[fe80::1%25eth0]/x',
    'sftp://user@host//etc/passwd',
    'sftp://user@host/srv/../etc',
    'sftp://user@host/srv/%2e%2e/etc',
    'sftp://user@host/srv/..%2fetc',
    'sftp://user@host/srv/./x',
    'sftp://user@host/x/',
    'sftp://user@host/x%00',
    'sftp://user@host/x?y',
    'sftp://user@host/x#y',
    'sftp://user@host/x y',
    'sftp://user@host/x\\y',
    'sftp://user@host/%ff',
    'sftp://%ff@host/x',
    'SFTP://user@host/x',
    'scp://user@host/x',
    ' sftp://user@host/x',
    'sftp://user@host/x\n',
  ])('is not %j', (uri) => {
    expect(() => location.parse(uri)).toThrow(Error)
  })
})
