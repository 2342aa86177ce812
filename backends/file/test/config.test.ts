import { isAbsolute, resolve } from 'node:path'
import { file } from '@mullion/file'
import { describe, expect, it } from 'vitest'
import { configSchema } from '../src/config.ts'
import { environment } from './support.ts'

describe('the configuration of a file store', () => {
  it.each([
    ['neither dir nor dirs', {}, 'images: file store: expected exactly one of dir and dirs'],
    ['both dir and dirs', { dir: '/a', dirs: [{ path: '/b' }] }, 'expected exactly one of dir and dirs'],
    ['an empty path', { dir: '' }, 'dir: expected a path, received an empty string'],
    ['a path with NUL', { dir: '/a\0b' }, 'dir: a path cannot contain NUL'],
    ['no directories', { dirs: [] }, 'dirs: '],
    ['a directory twice', { dirs: [{ path: '/a' }, { path: '/b/../a/' }] }, 'dirs.1.path: /a is listed twice'],
    ['a fractional weight', { dirs: [{ path: '/a', weight: 0.5 }] }, 'dirs.0.weight: '],
    ['permissions as a number', { dir: '/a', permissions: 640 }, 'permissions: '],
    ['permissions that are not octal', { dir: '/a', permissions: '698' }, 'expected three octal digits such as "640"'],
    ['permissions with set-user-id', { dir: '/a', permissions: '4755' }, 'expected three octal digits'],
    ['permissions the owner cannot read with', { dir: '/a', permissions: '240' }, 'must let the owner read'],
    ['a negative age', { dir: '/a', stalePartialMs: -1 }, 'stalePartialMs: '],
    ['an unknown key', { dir: '/a', dirr: '/b' }, 'dirr'],
  ])('refuses %s, saying so', async (_title, config, message) => {
    const opening = file(config as never).open(environment().env)
    await expect(opening).rejects.toMatchObject({ code: 'invalid_config', message: expect.stringContaining(message) })
  })

  it('resolves relative paths and fills in the defaults', () => {
    const settings = configSchema.parse({ dir: 'images' })
    expect(settings).toEqual({
      directories: [{ path: resolve('images'), weight: 0 }],
      permissions: undefined,
      sparse: false,
      stalePartialMs: 86_400_000,
    })
    expect(isAbsolute(settings.directories[0]?.path ?? '')).toBe(true)
  })

  it('reads permissions as octal, with or without a leading zero', () => {
    expect(configSchema.parse({ dir: '/a', permissions: '640' }).permissions).toBe(0o640)
    expect(configSchema.parse({ dir: '/a', permissions: '0600' }).permissions).toBe(0o600)
  })
})
