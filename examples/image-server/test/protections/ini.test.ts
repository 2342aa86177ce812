import { describe, expect, it } from 'vitest'
import { IniError, readIni } from '../../src/protections/ini.ts'

function table(text: string): unknown {
  return readIni(text).map(({ name, line, values }) => [
    name,
    line,
    Object.fromEntries([...values].map(([key, { value }]) => [key, value])),
  ])
}

describe('an INI file', () => {
  it('has sections in their order, with keys in any case', () => {
    expect(table('# comment\n[b]\nCreate = x\n\n; comment\nread: y\n[a]\nupdate=\n')).toEqual([
      ['b', 2, { create: 'x', read: 'y' }],
      ['a', 7, { update: '' }],
    ])
  })

  it('keeps the name of a section as it is', () => {
    expect(readIni('[^[a-c]_\\d{2}$]\n[ x ]\n[.*]\r\n[__proto__]').map(({ name }) => name)).toEqual([
      '^[a-c]_\\d{2}$',
      ' x ',
      '.*',
      '__proto__',
    ])
  })

  it('goes on with a value on an indented line', () => {
    expect(table('[a]\nread = x,\n   y\n\tz\nupdate =\n  w')).toEqual([['a', 1, { read: 'x,\ny\nz', update: 'w' }]])
  })

  it('may be empty, or begin with a byte order mark', () => {
    expect(table('')).toEqual([])
    expect(table('\uFEFF[a]\nb = c = d : e')).toEqual([['a', 1, { b: 'c = d : e' }]])
  })

  it.each([
    ['[a]\n[b]\n[a]', 'line 3: [a] is there since line 1'],
    ['[a]\nx = 1\nX = 2', 'line 3: x: is there since line 2'],
    ['x = 1', 'line 1: x: expected a [pattern] in front of the first key'],
    ['[a]\nnonsense', 'line 2: expected [pattern] or key = value'],
    ['[a', 'line 1: expected [pattern] or key = value'],
    ['[]', 'line 1: expected [pattern] or key = value'],
    ['[a]\n= x', 'line 2: expected [pattern] or key = value'],
  ])('is refused: %j', (text, message) => {
    expect(() => readIni(text)).toThrow(new IniError(message))
  })
})
