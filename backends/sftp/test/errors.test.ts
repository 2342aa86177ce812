import { MullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { classify, connectionError, StatusError } from '../src/errors.ts'

describe('errors of an sftp store', () => {
  it.each([
    [1, 'End of file', 'unavailable'],
    [2, 'No such file', 'not_found'],
    [3, 'Permission denied', 'permission_denied'],
    [4, 'Failure', 'unavailable'],
    [4, 'No space left on device', 'storage_full'],
    [4, 'storage quota exceeded', 'storage_full'],
    [5, 'Bad message', 'invalid_location'],
    [7, 'Connection lost', 'unavailable'],
    [8, 'Operation unsupported', 'unsupported'],
    [14, 'no space on filesystem', 'storage_full'],
    [99, '', 'unavailable'],
  ])('status %i %j means %s %s', (status, said, code) => {
    expect(classify(new StatusError('write /x', status, said))).toBe(code)
  })

  it('say what was asked, and of what the server wrote only printable text of some length', () => {
    expect(new StatusError('open /x', 3, 'Permission denied').message).toBe('open /x: Permission denied (status 3)')
    const { message } = new StatusError('open /x', 4, `\u001b[31m\n${'x'.repeat(1000)}`)
    expect(message).toMatch(/^[\x20-\x7e]+$/)
    expect(message.length).toBeLessThan(250)
  })

  it.each([
    ['client-authentication', 'unauthenticated'],
    ['agent', 'unauthenticated'],
    ['client-socket', 'unavailable'],
    ['client-timeout', 'timeout'],
    ['handshake', 'unavailable'],
  ])('of ssh2 with level %s mean %s', (level, code) => {
    expect(classify(Object.assign(new Error('x'), { level }))).toBe(code)
  })

  it('are nobody else’s', () => {
    expect(classify(new TypeError('x'))).toBeUndefined()
    expect(classify(Object.assign(new Error('x'), { code: 4 }))).toBeUndefined()
    expect(classify(undefined)).toBeUndefined()
  })

  it('of a login are told apart from those of a network', () => {
    const at = 'u@h:22'
    const failed = (properties: object): MullionError =>
      connectionError(Object.assign(new Error('said'), properties), at)
    expect(failed({ level: 'client-authentication' })).toMatchObject({ code: 'unauthenticated', retryable: false })
    expect(failed({ code: 14 })).toMatchObject({ code: 'unauthenticated' })
    expect(connectionError(new Error('Too many authentication failures'), at)).toMatchObject({
      code: 'unauthenticated',
    })
    expect(failed({ level: 'client-socket' })).toMatchObject({ code: 'unavailable', retryable: true })
    expect(failed({ level: 'handshake' })).toMatchObject({ code: 'unavailable', retryable: false })
    const own = new MullionError('timeout', 'x', { details: { limitMs: 1 } })
    expect(connectionError(own, at)).toBe(own)
  })
})
