import { CRC32C } from '@google-cloud/storage'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c, crc32cText } from '../src/crc32c.ts'

describe('crc32c', () => {
  // RFC 3720 appendix B.4, and the usual check value
  it.each([
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(255), 0x62a8ab43],
    ['32 ascending', Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
    ['32 descending', Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['nothing', new Uint8Array(0), 0],
  ])('of %s is right', (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected)
  })

  it('is that of Google for any bytes, in any pieces, wherever they lie in memory', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(7), (bytes, cut, shift) => {
        const google = new CRC32C()
        google.update(Buffer.from(bytes))
        const moved = new Uint8Array(bytes.length + shift).subarray(shift)
        moved.set(bytes)
        const ours = crc32c(moved.subarray(cut), crc32c(moved.subarray(0, cut)))
        expect(crc32cText(ours)).toBe(google.toString())
      }),
    )
  })
})
