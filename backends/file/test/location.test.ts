import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { location } from '../src/location.ts'

describe('a file location', () => {
  it.each([
    ['/images/5d1c4bc0', 'file:///images/5d1c4bc0'],
    ['/my images/50%/a#b?c/x', 'file:///my%20images/50%25/a%23b%3Fc/x'],
    ['/bücher/日本/𝄞', 'file:///b%C3%BCcher/%E6%97%A5%E6%9C%AC/%F0%9D%84%9E'],
    ['/a\\b/new\nline/%2e%2e', 'file:///a%5Cb/new%0Aline/%252e%252e'],
  ])('of %j is %s and back', (path, uri) => {
    expect(location.format(path)).toBe(uri)
    expect(location.parse(uri)).toBe(path)
  })

  it('survives parsing and formatting whatever the names are', () => {
    const name = fc
      .string({ unit: 'binary', minLength: 1 })
      .filter((text) => text.isWellFormed() && !/[/\0]/.test(text) && text !== '.' && text !== '..')
    const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => `/${names.join('/')}`)
    fc.assert(
      fc.property(path, (at) => {
        const uri = location.format(at)
        expect(location.parse(uri)).toBe(at)
        expect(location.format(location.parse(uri))).toBe(uri)
      }),
    )
  })

  it('may be a legacy one: the other scheme, and characters nobody encoded', () => {
    expect(location.parse('filesystem:///var/lib/glance/images/x')).toBe('/var/lib/glance/images/x')
    expect(location.parse('file:///var/my images/ü+@:,/x')).toBe('/var/my images/ü+@:,/x')
  })

  it.each([
    'file://host/images/x',
    'file://localhost/images/x',
    'file://images/x',
    'file:images/x',
    'file:/images/x',
    'file://',
    'file:///',
    'FILE:///images/x',
    ' file:///images/x',
    '\tfile:///images/x',
    'files:///images/x',
    'http:///images/x',
    'file:////etc/passwd',
    'file:///images//x',
    'file:///images/x/',
    'file:///images/../etc/passwd',
    'file:///images/./x',
    'file:///images/%2e%2e/etc/passwd',
    'file:///images/%2E./etc/passwd',
    'file:///images/..%2fetc%2fpasswd',
    'file:///images%2Fx',
    'file:///images/x%00',
    'file:///images/x\0',
    'file:///images/x\n',
    'file:///images/.\t./x',
    'file:///images/x?y',
    'file:///images/x#y',
    'file:///images/%zz',
    'file:///images/%',
    'file:///images/%ff',
    'file:///images/%c0%ae%c0%ae/x',
  ])('is not %j', (uri) => {
    expect(() => location.parse(uri)).toThrow()
  })
})
