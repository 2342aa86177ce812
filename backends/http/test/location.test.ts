import { isMullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { httpLocation } from '../src/location.ts'

const parse = (uri: string) => httpLocation.parse(uri)

function refusal(uri: string): unknown {
  try {
    parse(uri)
  } catch (error) {
    return error
  }
  return undefined
}

describe('http location', () => {
  it.each([
    'http://example.org/',
    'http://example.org',
    'https://example.org:8443/a/b.img?X-Amz-Signature=a%2Fb&x=1',
    'HTTP://Example.ORG/Disk.IMG',
    'http://user:p%40ss%3Aw%2Frd@example.org/x',
    'http://user:@example.org/',
    'http://[2001:DB8::1]:81/x',
    'http://192.0.2.1/%2e%2e/x',
    'http://example.org/ü/@:x',
    'http://xn--bcher-kva.example/',
    'http://a_b.example/',
  ])('gives %s back as it was', (uri) => {
    expect(httpLocation.format(parse(uri))).toBe(uri)
  })

  it('takes the credentials out of the URL and decodes them for Basic authentication', () => {
    const { url, authorization } = parse('http://us%20er:p%40%3A%2Fé%C3%A9@example.org/x?y')
    expect(url).toBe('http://example.org/x?y')
    expect(authorization).toBe(`Basic ${Buffer.from('us er:p@:/éé').toString('base64')}`)
  })

  it('sends no credentials when there are none', () => {
    expect(parse('http://example.org/').authorization).toBeUndefined()
  })

  it.each([
    ['another scheme', 'ftp://example.org/'],
    ['no slashes', 'http:example.org/'],
    ['one slash', 'http:/example.org/'],
    ['no host', 'http:///x'],
    ['no host but a port', 'http://:80/x'],
    ['no host but credentials', 'http://u:p@/x'],
    ['a user without a password', 'http://user@example.org/'],
    ['an empty user', 'http://:secret@example.org/'],
    ['two colons in the credentials', 'http://u:se:cret@example.org/'],
    ['two at signs', 'http://u:se@cret@example.org/'],
    ['credentials that are no UTF-8', 'http://u:%ffsecret@example.org/'],
    ['a line break in the credentials', 'http://u:secret%0d%0aX@example.org/'],
    ['a colon in the user name', 'http://u%3Av:secret@example.org/'],
    ['a port of letters', 'http://example.org:8x/'],
    ['an empty port', 'http://example.org:/'],
    ['port 0', 'http://example.org:0/'],
    ['port 65536', 'http://example.org:65536/'],
    ['a port with zeros in front', 'http://example.org:080/'],
    ['a fragment', 'http://example.org/#x'],
    ['a fragment in place of a path', 'http://127.0.0.1#@example.org/'],
    ['a backslash', 'http://example.org\\@127.0.0.1/'],
    ['a blank', 'http://example.org/a b'],
    ['a tab', 'http://exam\tple.org/'],
    ['a line break', 'http://example.org/\nx'],
    ['a NUL', 'http://example.org/\0'],
    ['a no-break space', 'http://example.org/\u00a0'],
    ['a trailing dot', 'http://localhost./'],
    ['two dots', 'http://a..b/'],
    ['a percent sign in the host', 'http://%31%32%37.0.0.1/'],
    ['an IDN in Unicode', 'http://bücher.example/'],
    ['full-width digits', 'http://１２７.0.0.1/'],
    ['circled digits', 'http://①②⑦.⓪.⓪.①/'],
    ['an ideographic full stop', 'http://127。0。0。1/'],
    ['a soft hyphen', 'http://local\u00adhost/'],
    ['a decimal address', 'http://2130706433/'],
    ['a hexadecimal address', 'http://0x7f000001/'],
    ['an octal address', 'http://017700000001/'],
    ['octal parts', 'http://0177.0.0.01/'],
    ['a short address', 'http://127.1/'],
    ['a hexadecimal part', 'http://0x7f.1/'],
    ['an address with a trailing dot', 'http://127.0.0.1./'],
    ['too large a part', 'http://127.0.0.256/'],
    ['an address with a zone', 'http://[fe80::1%25eth0]/'],
    ['an open bracket', 'http://[::1/'],
    ['a name in brackets', 'http://[localhost]/'],
    ['text behind the bracket', 'http://[::1]x/'],
    ['a socket file', 'http://unix:/var/run/docker.sock:/x'],
    ['a text without end', `http://example.org/${'x'.repeat(9000)}`],
    ['nothing', ''],
  ])('refuses %s', (_, uri) => {
    const error = refusal(uri)
    expect(isMullionError(error, 'invalid_location')).toBe(true)
    expect(String(error)).not.toMatch(/secret|cret@|127|example/)
  })
})
