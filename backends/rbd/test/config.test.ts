import { isMullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { rbdConfig } from '../src/config.ts'
import { rbd } from '../src/index.ts'

const issues = (input: object): readonly string[] =>
  (rbdConfig.safeParse(input).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)

describe('the configuration of an rbd store', () => {
  it('is a pool; the rest has defaults', () => {
    expect(rbdConfig.parse({ pool: 'images' })).toEqual({
      pool: 'images',
      user: 'admin',
      objectSize: 8 << 20,
      sparse: false,
      uploadConcurrency: 4,
      downloadConcurrency: 4,
      connectTimeoutMs: 10_000,
      operationTimeoutMs: 30_000,
      staleUploadMs: 604_800_000,
      trash: false,
      trashDelayMs: 0,
    })
  })

  it.each([
    [{}, 'pool: '],
    [{ pool: '' }, 'pool: expected a name'],
    [{ pool: 'a/b' }, 'pool: expected a name'],
    [{ pool: 'a', namespace: 'b@c' }, 'namespace: expected a name'],
    [{ pool: 'a', user: 'client.images' }, 'user: expected a user without "client."'],
    [{ pool: 'a', key: 'x\ny' }, 'key: expected one line'],
    [{ pool: 'a', key: 'x', keyring: '/y' }, 'key: expected at most one'],
    [{ pool: 'a', fsid: 'x' }, 'fsid: '],
    [{ pool: 'a', objectSize: 5_000_000 }, 'objectSize: expected a power of two'],
    [{ pool: 'a', objectSize: 1024 }, 'objectSize: '],
    [{ pool: 'a', objectSize: 64 << 20 }, 'objectSize: '],
    [{ pool: 'a', features: ['exclusive-lock'] }, 'features: must hold layering'],
    [{ pool: 'a', features: ['layering', 'speed'] }, 'features.1: '],
    [{ pool: 'a', features: ['layering', 'object-map'] }, 'features: object-map needs exclusive-lock'],
    [{ pool: 'a', features: ['layering', 'exclusive-lock', 'fast-diff'] }, 'features: fast-diff needs object-map'],
    [{ pool: 'a', features: ['layering', 'journaling'] }, 'features: journaling needs exclusive-lock'],
    [{ pool: 'a', uploadConcurrency: 0 }, 'uploadConcurrency: '],
    [{ pool: 'a', operationTimeoutMs: 0 }, 'operationTimeoutMs: '],
    [{ pool: 'a', operationTimeoutMs: 2 ** 31 - 10_000 }, 'operationTimeoutMs: '],
    [{ pool: 'a', connectTimeoutMs: 2 ** 31 - 10_000 }, 'connectTimeoutMs: '],
    [{ pool: 'a', staleUploadMs: 0 }, 'staleUploadMs: '],
    [{ pool: 'a', trashDelayMs: 1 }, 'trashDelayMs: means nothing without trash'],
    [{ pool: 'a', chunkSize: 8 }, 'Unrecognized key'],
  ])('is not %j', (input, issue) => {
    expect(issues(input).join('\n')).toContain(issue)
  })

  it('takes any fsid that Ceph takes, in either case', () => {
    const fsid = 'ABCDEF01-2345-0789-0BCD-EF0123456789'
    expect(rbdConfig.parse({ pool: 'a', fsid }).fsid).toBe(fsid.toLowerCase())
  })

  it('is refused before anything is started, without repeating the key', async () => {
    const spec = rbd({ pool: '', key: 'secret\n' })
    const error: unknown = await spec
      .open({ id: 'images', now: Date.now, log: () => {} })
      .catch((thrown: unknown) => thrown)
    expect(isMullionError(error, 'invalid_config')).toBe(true)
    expect(String(error)).not.toContain('secret')
  })
})
