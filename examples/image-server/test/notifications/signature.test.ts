import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { signature, signingKey } from '../../src/notifications/signature.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

describe('the signature of a webhook', () => {
  it('is that of the Standard Webhooks libraries', () => {
    const key = signingKey(SECRET)
    if (!key) throw new Error('no key')
    const body = Buffer.from('{"test": 2432232314}')
    expect(signature(key, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, body)).toBe(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    )
  })

  it('shows nothing of its key', () => {
    expect(inspect(signingKey(SECRET), { depth: 9, showHidden: true })).not.toMatch(/MfKQ|31f290/i)
  })

  it.each([
    '',
    'whsec_',
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!',
    `whsec_${'A'.repeat(88)}`,
    `${SECRET} `,
  ])('takes %j for no secret', (text) => {
    expect(signingKey(text)).toBeUndefined()
  })

  it.each([24, 25, 26, 64])('takes %i bytes, padded or not', (bytes) => {
    const encoded = Buffer.alloc(bytes, 7).toString('base64')
    expect(signingKey(`whsec_${encoded}`)).toBeDefined()
    expect(signingKey(`whsec_${encoded.replaceAll('=', '')}`)).toBeDefined()
  })
})
