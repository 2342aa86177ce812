import { describe, expect, it } from 'vitest'
import { isOurs, lockName, partialName } from '../src/partial.ts'

describe('names of partial uploads', () => {
  it('are new every time, recognised, and fit into a directory whatever the key', () => {
    for (const key of ['5d1c4bc0', 'a', '_.-', 'k'.repeat(255)]) {
      const name = partialName(key)
      expect(name).not.toBe(partialName(key))
      expect(name.startsWith('.')).toBe(true)
      expect(name.length).toBeLessThanOrEqual(255)
      expect(isOurs(name)).toBe(true)
      expect(isOurs(lockName(key))).toBe(true)
    }
  })

  it.each([
    '.part',
    '.x.part',
    'x.0123456789abcdef0123456789abcdef.part',
    '.x.0123456789abcdef0123456789abcdef.part~',
    '.x.0123456789ABCDEF0123456789ABCDEF.part',
    '.x.0123456789abcdef0123456789abcde.part',
    '.x.01234567-1-89abcdef.0123456789abcdef.part', // of @mullion/file
    '.0123456789abcdef0123456789abcdef.part',
    '.x y.0123456789abcdef0123456789abcdef.part',
    `.${'k'.repeat(129)}.0123456789abcdef0123456789abcdef.part`,
    '.x.lock',
    '.bashrc',
    '5d1c4bc0',
  ])('are not %s', (name) => {
    expect(isOurs(name)).toBe(false)
  })
})
