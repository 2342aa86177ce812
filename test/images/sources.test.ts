import { memory } from 'mullion'
import { assertExternalSource, REFUSED_SCHEMES } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { tiny } from '../tiny-store.ts'
import { scene } from './scene.ts'

describe('assertExternalSource', () => {
  it.each(REFUSED_SCHEMES.flatMap((scheme) => [`${scheme}://x`, `${scheme.toUpperCase()}://x`]))(
    'refuses %s, configured or not',
    async (uri) => {
      const { spec, calls } = tiny({ scheme: 'file' })
      await using set = await scene({ a: memory(), b: spec })
      expect(() => assertExternalSource(set.ports, uri)).toThrow(expect.objectContaining({ code: 'invalid_location' }))
      expect(calls).toEqual([])
    },
  )

  it.each([
    ' http://x',
    'http://x ',
    'ht\ntp://x',
    'http://x\0',
    '\tfile://x',
    'file\r://x',
    'http://a\u0085b',
    'x',
    '',
    'http:/x',
  ])('refuses the text %o', async (uri) => {
    await using set = await scene({ a: memory(), b: tiny({ scheme: 'http' }).spec })
    expect(() => assertExternalSource(set.ports, uri)).toThrow(expect.objectContaining({ code: 'invalid_location' }))
  })

  it('accepts the schemes of the configured stores, in any case, and asks no backend', async () => {
    const { spec, calls } = tiny({ scheme: 'http' })
    await using set = await scene({ a: memory(), b: spec })
    assertExternalSource(set.ports, 'http://x')
    assertExternalSource(set.ports, 'HTTP://x')
    expect(() => assertExternalSource(set.ports, 'ftp://x')).toThrow(
      expect.objectContaining({ code: 'unknown_scheme' }),
    )
    expect(() => assertExternalSource(set.ports, 'http://!')).toThrow(
      expect.objectContaining({ code: 'invalid_location' }),
    )
    expect(calls).toEqual([])
  })

  it('lets the operator choose what is refused', async () => {
    await using set = await scene({ a: memory() })
    assertExternalSource(set.ports, 'memory://x', { refusedSchemes: ['file'] })
  })

  it('shows no secret when it refuses', async () => {
    await using set = await scene({ a: memory() })
    for (const uri of ['file://u:tOpSeCrEt@h/x', 'http://u:tOpSeCrEt@h/\n', 'ftp://u:tOpSeCrEt@h']) {
      expect(() => assertExternalSource(set.ports, uri)).not.toThrow(/tOpSeCrEt/)
      expect(() => assertExternalSource(set.ports, uri)).toThrow()
    }
  })
})
