import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { http, type HttpConfig } from '../src/index.ts'
import { env } from './web.ts'

const open = (config: HttpConfig) => http(config).open(env)

describe('http configuration', () => {
  it('needs nothing', async () => {
    const spec = http()
    expect(spec).toMatchObject({ plugin: 'http', schemes: ['http', 'https'], capabilities: { range: true } })
    const store = await spec.open(env)
    expect(Object.keys(store).toSorted()).toEqual(['close', 'read', 'stat'])
    await store.close()
  })

  it.each<[string, object]>([
    ['allow.1', { allow: ['10.0.0.0/8', '10.0.0.0/33'] }],
    ['deny.0', { deny: ['127.1'] }],
    ['ports.0', { ports: [0] }],
    ['ports', { ports: [] }],
    ['schemes.0', { schemes: ['ftp'] }],
    ['maxRedirects', { maxRedirects: -1 }],
    ['connectTimeoutMs', { connectTimeoutMs: 0 }],
    ['responseTimeoutMs', { responseTimeoutMs: 2 ** 31 }],
    ['idleTimeoutMs', { idleTimeoutMs: 1.5 }],
    ['maxConnections', { maxConnections: 0 }],
    ['maxSkip', { maxSkip: -1 }],
    ['userAgent', { userAgent: 'a\r\nX: y' }],
    ['insecure', { insecure: true }],
  ])('refuses a wrong %s, by its name', async (key, config) => {
    await expect(open(config as HttpConfig)).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining(key) as string,
    })
  })

  it('refuses an authority that is missing or no certificate', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'mullion-http-'))
    const garbage = join(dir, 'garbage.pem')
    await writeFile(garbage, '-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n')
    const key = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n'
    for (const ca of [join(dir, 'none.pem'), dir, garbage, key, '-----BEGIN CERTIFICATE-----']) {
      const error: unknown = await open({ ca }).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({
        code: 'invalid_config',
        message: expect.stringMatching(/ca: expected PEM/) as string,
      })
      expect(String(error)).not.toMatch(/c2VjcmV0/)
    }
    await rm(dir, { recursive: true })
  })
})
