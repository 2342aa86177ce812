import { expect, it } from 'vitest'
import { openRegistry, type SqlConfig } from '@mullion/sql'

const KEY = Buffer.alloc(32, 9).toString('base64')

it.each([
  ['file', {}],
  ['file', { file: '' }],
  ['dialect', { file: ':memory:', dialect: 'oracle' }],
  ['busyTimeoutMs', { file: ':memory:', busyTimeoutMs: -1 }],
  ['encryptionKeys.0.key', { file: ':memory:', encryptionKeys: [{ id: 'a', key: 'a passphrase' }] }],
  [
    'encryptionKeys.0.key',
    { file: ':memory:', encryptionKeys: [{ id: 'a', key: Buffer.alloc(16).toString('base64') }] },
  ],
  ['encryptionKeys.0.id', { file: ':memory:', encryptionKeys: [{ id: 'a:b', key: KEY }] }],
  [
    'encryptionKeys',
    {
      file: ':memory:',
      encryptionKeys: [
        { id: 'a', key: KEY },
        { id: 'a', key: KEY },
      ],
    },
  ],
  ['refusePlain', { file: ':memory:', refusePlain: true }],
  ['config', { file: ':memory:', encryptionKey: KEY }],
])('refuses a wrong %s by name, without its value', async (path, config) => {
  const error: unknown = await openRegistry(config as SqlConfig).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'invalid_config', details: { issues: [expect.stringMatching(`^${path}: `)] } })
  expect(String(error)).not.toContain(KEY)
  expect(String(error)).not.toContain('passphrase')
})
