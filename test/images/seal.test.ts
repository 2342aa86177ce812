import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSeal } from '../../src/images/seal.ts'

const key = (fill: number): string => Buffer.alloc(32, fill).toString('base64')
const OLD = { id: 'old', key: key(1) }
const NEW = { id: 'new', key: key(2) }
const HERE = { imageId: 'a', purpose: 'location' } as const
const URI = 's3://user:secret@bucket/key'

describe('createSeal', () => {
  it('gives back every text, and never the same sealed value twice', () => {
    const seal = createSeal([NEW], false)
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = `${Buffer.from(bytes).toString('latin1')}☃𝄞`
        const value = seal.close(text, HERE)
        expect(value).toMatch(/^v1:new:[A-Za-z0-9_-]+$/)
        expect(seal.open(value, HERE)).toBe(text)
        expect(seal.close(text, HERE)).not.toBe(value)
      }),
    )
  })

  it('writes plain text without a key, marked as such', () => {
    const seal = createSeal([], false)
    expect(seal.close('v1:new:AAAA', HERE)).toBe('plain:v1:new:AAAA')
    expect(createSeal([NEW], false).open('plain:v1:new:AAAA', HERE)).toBe('v1:new:AAAA')
  })

  it('reads values of every key and writes with the first', () => {
    const value = createSeal([OLD], false).close(URI, HERE)
    const both = createSeal([NEW, OLD], false)
    expect(both.open(value, HERE)).toBe(URI)
    expect([both.isCurrent(value), both.isCurrent('plain:x'), both.isCurrent(both.close(URI, HERE))]).toEqual([
      false,
      false,
      true,
    ])
  })

  it('refuses a value with any one character changed', () => {
    const seal = createSeal([NEW], false)
    const value = seal.close(URI, HERE)
    for (let at = 'v1:new:'.length; at < value.length; at += 1) {
      const changed = value.slice(0, at) + (value[at] === 'A' ? 'Q' : 'A') + value.slice(at + 1)
      // the last character of base64 may carry bits that are not part of any byte
      if (Buffer.from(changed.slice(7), 'base64url').equals(Buffer.from(value.slice(7), 'base64url'))) continue
      expect(() => seal.open(changed, HERE)).toThrow(/not authentic/)
    }
  })

  it.each(['v1:new:', 'v1:new:AAAA', 'v1:new:@@', 'v2:new:AAAAAAAA', '', 'file:///x'])(
    'refuses the malformed value "%s"',
    (value) => {
      expect(() => createSeal([NEW], false).open(value, HERE)).toThrow(expect.objectContaining({ code: 'internal' }))
    },
  )

  it('refuses a value of another image, of another purpose and of another key with the same id', () => {
    const seal = createSeal([NEW], false)
    const value = seal.close(URI, HERE)
    const thief = createSeal([{ ...NEW, key: key(3) }], false)
    for (const attempt of [
      () => seal.open(value, { ...HERE, imageId: 'b' }),
      () => seal.open(value, { ...HERE, purpose: 'task' }),
      () => thief.open(value, HERE),
    ]) {
      expect(attempt).toThrow(
        expect.objectContaining({ code: 'internal', message: expect.not.stringContaining('secret') }),
      )
    }
  })

  it('names a key that is missing', () => {
    const value = createSeal([OLD], false).close(URI, HERE)
    expect(() => createSeal([NEW], false).open(value, HERE)).toThrow(
      expect.objectContaining({
        code: 'invalid_config',
        message: expect.stringContaining('key "old", which is not configured'),
      }),
    )
    expect(() => createSeal([], false).open(value, HERE)).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  })

  it('refuses plain text when told to', () => {
    expect(() => createSeal([NEW], true).open(`plain:${URI}`, HERE)).toThrow(
      expect.objectContaining({ code: 'invalid_config', message: expect.not.stringContaining('secret') }),
    )
  })
})
