import { describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { storeSpecs } from '../../src/config/stores.ts'

function withStores(stores: Config['stores']): Config {
  return { ...loadConfig(undefined, {}).config, stores }
}

describe('storeSpecs', () => {
  it.each([
    ['file', { dir: '/srv/images' }, ['file', 'filesystem']],
    ['gcs', { bucket: 'images' }, ['gs']],
    ['http', {}, ['http', 'https']],
    ['rbd', { pool: 'images' }, ['rbd']],
    ['s3', { bucket: 'images', region: 'us-east-1' }, ['s3', 's3+http', 's3+https']],
    [
      'sftp',
      { host: 'h', user: 'u', root: '/images', password: 'p', hostFingerprint: `SHA256:${'A'.repeat(43)}` },
      ['sftp'],
    ],
    [
      'swift',
      { auth: { type: 'v1', url: 'http://h/auth', user: 'u', key: 'k' } },
      ['swift', 'swift+http', 'swift+https', 'swift+config'],
    ],
  ])('knows the plugin %s', async (type, options, schemes) => {
    const specs = await storeSpecs(withStores({ images: { type, enabled: true, ...options } }))
    expect([...(specs['images']?.schemes ?? [])].toSorted()).toEqual(schemes.toSorted())
  })

  it('leaves out what is not enabled, whatever is in it', async () => {
    await expect(storeSpecs(withStores({ images: { type: 's3', enabled: false } }))).resolves.toEqual({})
  })

  it('names the known plugins when there is no such one', async () => {
    await expect(storeSpecs(withStores({ images: { type: 'ftp', enabled: true } }))).rejects.toThrow(
      /stores\.images\.type: no such plugin, got "ftp"; known: file, gcs, http, rbd, s3, sftp, swift/,
    )
  })

  it('has a plugin check its keys, and names them as they are in the file', async () => {
    const config = withStores({ images: { type: 's3', enabled: true, bucket: 'images', region: 'x', partSize: 1 } })
    await expect(storeSpecs(config)).rejects.toThrow(/images: s3 store: part_size/)
  })
})
