import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { classify, RbdError } from '../src/errors.ts'

describe('an errno of librbd', () => {
  it.each([
    ['ENOENT', 'not_found'],
    ['EEXIST', 'already_exists'],
    ['EBUSY', 'in_use'],
    ['ENOTEMPTY', 'in_use'],
    ['ENOSPC', 'storage_full'],
    ['EDQUOT', 'storage_full'],
    ['EPERM', 'permission_denied'],
    ['EACCES', 'permission_denied'],
    ['EROFS', 'permission_denied'],
    ['ETIMEDOUT', 'timeout'],
    ['EIO', 'unavailable'],
    ['EINVAL', undefined],
  ] as const)('%s means %s', (name, code) => {
    const error = new RbdError('rbd_open', -constants.errno[name])
    expect([error.code, classify(error)]).toEqual([name, code])
    expect(error.message).toBe(`rbd_open failed with ${name}`)
  })

  it('may be one that Node has no name for: ESHUTDOWN, of a client the cluster has blocklisted', () => {
    expect(classify(new RbdError('rbd_write', -108))).toBe('unavailable')
  })

  it('is nothing else', () => {
    expect(classify(new Error('ENOENT'))).toBeUndefined()
    expect(classify(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBeUndefined()
  })
})
