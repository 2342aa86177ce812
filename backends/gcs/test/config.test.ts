import { describe, expect, it } from 'vitest'
import { type GcsConfig, gcsConfig } from '../src/config.ts'

const parsed = (config: object) => gcsConfig.parse({ bucket: 'images', ...config })
const issues = (config: object): readonly string[] =>
  gcsConfig.safeParse({ bucket: 'images', ...config }).error?.issues.map(({ message }) => message) ?? []

describe('configuration', () => {
  it('needs only a bucket', () => {
    expect(parsed({})).toEqual({
      bucket: 'images',
      prefix: '',
      keyFile: undefined,
      credentials: undefined,
      anonymous: false,
      endpoint: 'https://storage.googleapis.com',
      isGoogle: true,
      chunkSize: 16 * 1024 * 1024,
      uploadAttempts: 8,
      connectTimeoutMs: 10_000,
      responseTimeoutMs: 60_000,
      idleTimeoutMs: 60_000,
    })
  })

  it.each<[Partial<GcsConfig>, boolean]>([
    [{ endpoint: 'http://127.0.0.1:4443' }, true],
    [{ endpoint: 'http://127.0.0.1:4443/', keyFile: 'key.json' }, false],
    [{ endpoint: 'http://127.0.0.1:4443', credentials: { type: 'service_account' } }, false],
    [{ endpoint: 'http://127.0.0.1:4443', anonymous: false }, false],
    [{ anonymous: true }, true],
    [{ endpoint: 'https://storage.googleapis.com/' }, false],
  ])('with %j is anonymous: %j', (config, anonymous) => {
    expect(parsed(config).anonymous).toBe(anonymous)
  })

  it.each([
    { bucket: 'Images' },
    { bucket: 'a/b' },
    { bucket: '' },
    { prefix: '/images' },
    { prefix: '/' },
    { prefix: 'a//b' },
    { prefix: 'a/../b/' },
    { prefix: './' },
    { prefix: 'a\nb' },
    { prefix: '\ud800' },
    { prefix: 'x'.repeat(513) },
    { chunkSize: 0 },
    { chunkSize: 262_143 },
    { chunkSize: 262_145 },
    { chunkSize: 2 ** 31 },
    { uploadAttempts: 0 },
    { idleTimeoutMs: 0 },
    { responseTimeoutMs: 2 ** 31 },
    { endpoint: 'storage.googleapis.com' },
    { endpoint: 'ftp://storage.googleapis.com' },
    { endpoint: 'https://user:secret@storage.googleapis.com' },
    { endpoint: 'https://storage.googleapis.com/storage/v1' },
    { endpoint: 'https://storage.googleapis.com?x=1' },
    { keyFile: '' },
    { keyFile: 'key.json', credentials: {} },
    { keyFile: 'key.json', anonymous: true },
    { credentials: {}, anonymous: true },
    { colour: 'blue' },
  ])('refuses %j', (config) => {
    expect(issues(config)).not.toHaveLength(0)
  })

  it.each(['images', 'images/', 'a/b', 'a/b/', 'ümlaut/', 'img-'])('takes the prefix %j', (prefix) => {
    expect(parsed({ prefix }).prefix).toBe(prefix)
  })

  it('does not repeat credentials in what it refuses', () => {
    expect(issues({ endpoint: 'https://user:hunter2@host', credentials: 'hunter2' }).join()).not.toContain('hunter2')
  })
})
