import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { draftName, parseDraftName } from '../src/draft.ts'

const key = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/)

describe('the name of an image that is being uploaded', () => {
  it('tells its key and when the upload began', () => {
    fc.assert(
      fc.property(key, fc.integer({ min: 0, max: 4_000_000_000_000 }), (name, begun) => {
        expect(parseDraftName(draftName(name, begun))).toEqual({ key: name, begun })
      }),
    )
  })

  it('is no key, and no other than any before', () => {
    expect(draftName('a', 1)).toMatch(/^\./)
    expect(draftName('a', 1)).not.toBe(draftName('a', 1))
  })

  it.each([
    'a',
    '.a.part',
    'a.1-0123456789abcdef.part',
    '.a.1-0123456789abcdeg.part',
    '.1-0123456789abcdef.part',
    '.a.Z-0123456789abcdef.part',
  ])('is not %s', (name) => {
    expect(parseDraftName(name)).toBeUndefined()
  })
})
