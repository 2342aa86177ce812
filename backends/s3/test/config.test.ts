import { describe, expect, it } from 'vitest'
import { s3Config, statedFacts } from '../src/config.ts'
import { s3, type S3Config } from '../src/index.ts'
import { FACTS, VENDORS } from '../src/vendor.ts'

const MIB = 1024 ** 2

function issuesOf(config: object): readonly string[] {
  const result = s3Config.safeParse(config)
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('configuration', () => {
  it('needs no more than a bucket, which is then one of AWS', () => {
    expect(s3Config.parse({ bucket: 'images' })).toEqual({
      ...FACTS.aws,
      vendor: 'aws',
      endpoint: undefined,
      bucket: 'images',
      prefix: '',
      credentials: undefined,
      legacyHosts: [],
      partSize: 8 * MIB,
      uploadConcurrency: 4,
      uploadAttempts: 4,
      staleUploadMs: 604_800_000,
      connectTimeoutMs: 10_000,
      idleTimeoutMs: 60_000,
      maxConnections: 256,
      ca: undefined,
    })
  })

  it('promises no more than all its parts can hold', () => {
    const swift = { bucket: 'images', vendor: 'swift', endpoint: 'http://swift' } as const
    expect(s3Config.parse(swift).maxSize).toBe(1000 * 5 * 1024 ** 3)
    expect(s3({ ...swift, maxParts: 10 }).capabilities.maxSize).toBe(10 * 5 * 1024 ** 3)
  })

  it('takes an endpoint alone for a service it knows nothing of', () => {
    expect(s3Config.parse({ bucket: 'images', endpoint: 'https://s3.example.org' })).toMatchObject(FACTS.other)
  })

  it.each(VENDORS)('lets every fact about %s be corrected', (vendor) => {
    const facts = {
      region: 'elsewhere',
      pathStyle: !FACTS[vendor].pathStyle,
      integrity: 'none',
      conditionalPut: !FACTS[vendor].conditionalPut,
      conditionalComplete: !FACTS[vendor].conditionalComplete,
      copyIfMatch: !FACTS[vendor].copyIfMatch,
      equalParts: !FACTS[vendor].equalParts,
      maxParts: 17,
      maxSize: 1234,
    } as const
    const config = { bucket: 'images', endpoint: 'https://s3.example.org', vendor, ...facts }
    expect(s3Config.parse(config)).toMatchObject(facts)
    expect(statedFacts(config)).toEqual(facts)
  })

  it.each<[object, RegExp]>([
    [{}, /bucket/],
    [{ bucket: 'a/b' }, /bucket: expected the name/],
    [{ bucket: '..' }, /bucket: expected the name/],
    [{ bucket: 'images', vendor: 'ceph' }, /endpoint: ceph needs one/],
    [{ bucket: 'images', endpoint: 'ftp://host' }, /endpoint/],
    [{ bucket: 'images', endpoint: 'no url' }, /endpoint/],
    [{ bucket: 'images', endpoint: 'https://user:pass@host' }, /endpoint: credentials have keys/],
    [{ bucket: 'images', endpoint: 'https://host/path' }, /endpoint: expected no path/],
    [{ bucket: 'images', accessKeyId: 'a' }, /secretAccessKey: expected both/],
    [{ bucket: 'images', secretAccessKey: 'a' }, /accessKeyId: expected both/],
    [{ bucket: 'images', sessionToken: 'a' }, /accessKeyId: expected with/],
    [{ bucket: 'images', prefix: '/a' }, /prefix/],
    [{ bucket: 'images', prefix: 'a/../b' }, /prefix/],
    [{ bucket: 'images', prefix: 'a//b' }, /prefix/],
    [{ bucket: 'images', prefix: 'a?b' }, /prefix/],
    [{ bucket: 'images', partSize: 5 * MIB - 1 }, /partSize/],
    [{ bucket: 'images', uploadConcurrency: 0 }, /uploadConcurrency/],
    [{ bucket: 'images', staleUploadMs: 0 }, /staleUploadMs/],
    [{ bucket: 'images', idleTimeoutMs: 2 ** 31 }, /idleTimeoutMs/],
    [{ bucket: 'images', secret: 'x' }, /secret/],
  ])('refuses %o', (config, issue) => {
    expect(issuesOf(config).join('\n')).toMatch(issue)
  })

  it('never repeats a secret', () => {
    const config = { bucket: 'a/b', endpoint: 'https://user:hunter2@host/x', secretAccessKey: 'hunter2', partSize: 1 }
    expect(issuesOf(config).join('\n')).not.toContain('hunter2')
    expect(issuesOf({ bucket: 'a', endpoint: 'hunter2@host' }).join('\n')).not.toContain('hunter2')
  })

  it.each<[string, S3Config, boolean]>([
    ['AWS', { bucket: 'images' }, true],
    ['MinIO', { bucket: 'images', vendor: 'minio', endpoint: 'http://minio' }, true],
    ['radosgw', { bucket: 'images', vendor: 'ceph', endpoint: 'http://rgw' }, false],
    [
      'a younger radosgw',
      { bucket: 'images', vendor: 'ceph', endpoint: 'http://rgw', conditionalComplete: true },
      true,
    ],
    ['Swift', { bucket: 'images', vendor: 'swift', endpoint: 'http://swift' }, false],
    ['R2', { bucket: 'images', vendor: 'r2', endpoint: 'https://r2' }, false],
    ['an unknown service', { bucket: 'images', endpoint: 'https://s3' }, false],
    ['AWS told otherwise', { bucket: 'images', conditionalPut: false }, false],
  ])('says of %s whether one of two writers wins', (_name, config, exclusiveWrite) => {
    expect(s3(config).capabilities).toMatchObject({ exclusiveWrite, range: true, atomicWrite: true, needsSize: false })
  })

  it('does not trip over a configuration that is checked later', async () => {
    const spec = s3({ vendor: 'nonsense' } as never)
    const env = { id: 'images', now: Date.now, log() {} }
    await expect(spec.open(env)).rejects.toMatchObject({ code: 'invalid_config' })
  })

  it('refuses authorities that it cannot read', async () => {
    const env = { id: 'images', now: Date.now, log() {} }
    const spec = s3({ bucket: 'images', ca: '/nowhere/ca.pem' })
    await expect(spec.open(env)).rejects.toMatchObject({ code: 'invalid_config', message: /ca: expected PEM/ })
  })
})
