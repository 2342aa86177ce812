import { MullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { classify } from '../src/errors.ts'
import { systemError } from './support.ts'

describe('classify', () => {
  it.each([
    ['ENOENT', 'not_found'],
    ['EEXIST', 'already_exists'],
    ['ENOSPC', 'storage_full'],
    ['EDQUOT', 'storage_full'],
    ['EFBIG', 'storage_full'],
    ['EACCES', 'permission_denied'],
    ['EPERM', 'permission_denied'],
    ['EROFS', 'permission_denied'],
    ['EBUSY', 'in_use'],
    ['EIO', 'unavailable'],
    ['ESTALE', 'unavailable'],
    ['ETIMEDOUT', 'unavailable'],
    ['ELOOP', 'invalid_location'],
  ])('calls %s %s', (errno, code) => {
    expect(classify(systemError(errno))).toBe(code)
  })

  it('has no name for what does not come from the system', () => {
    const own = new MullionError('internal', 'x', { details: {} })
    for (const error of [
      systemError('ERR_INVALID_ARG_TYPE'),
      systemError('constructor'),
      new Error('x'),
      own,
      'x',
      undefined,
      { code: 'EIO' },
    ]) {
      expect(classify(error)).toBeUndefined()
    }
  })
})
