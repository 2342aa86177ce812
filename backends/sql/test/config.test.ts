import { expect, it } from 'vitest'
import { openRegistry, type SqlConfig } from '@mullion/sql'
import { parseConfig } from '../src/config.ts'

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
  ['leaseMs', { file: ':memory:', leaseMs: 0 }],
  ['url', { dialect: 'postgres', url: `mysql://u:${KEY}@host/db` }],
  ['url', { dialect: 'postgres', url: `postgres://u:${encodeURIComponent(KEY)}@host` }],
  ['url', { dialect: 'postgres', url: `postgres://u:${encodeURIComponent(KEY)}@host/db?sslmode=require` }],
  ['url', { dialect: 'mysql', url: `mysql://u:%E0%A4%A@host/db` }],
  ['url', { dialect: 'mysql', url: `mysql://:${encodeURIComponent(KEY)}@host/db` }],
  ['user', { dialect: 'mysql', password: KEY, database: 'db' }],
  ['database', { dialect: 'mysql', password: KEY, user: 'u' }],
  ['password', { dialect: 'postgres', url: 'postgres://u@host/db', password: KEY }],
  ['port', { dialect: 'postgres', user: 'u', database: 'db', port: 70_000 }],
  ['tls.serverName', { dialect: 'mysql', url: 'mysql://u@127.0.0.1/db', tls: true }],
])('refuses a wrong %s by name, without its value', async (path, config) => {
  const error: unknown = await openRegistry(config as SqlConfig).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'invalid_config', details: { issues: [expect.stringMatching(`^${path}: `)] } })
  expect(String(error)).not.toContain(KEY)
  expect(String(error)).not.toContain('passphrase')
})

it('takes a URL apart, with what is written as %XX in it', () => {
  const url = 'postgres://us%40er:p%3A%2Fss@[::1]:6000/d%20b'
  expect(parseConfig({ dialect: 'postgres', url, tls: true })).toMatchObject({
    host: '::1',
    port: 6000,
    user: 'us@er',
    password: 'p:/ss',
    database: 'd b',
    tls: {},
    poolSize: 10,
  })
  expect(parseConfig({ dialect: 'mysql', url: 'mariadb://u@host/db' })).toMatchObject({ port: 3306, password: '' })
})
