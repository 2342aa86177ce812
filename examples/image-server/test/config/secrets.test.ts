import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { resolveSecret, resolveSecrets } from '../../src/config/secrets.ts'

const directory = mkdtempSync(join(tmpdir(), 'mullion-secrets-'))
afterAll(() => rmSync(directory, { recursive: true }))
const path = join(directory, 'key')
writeFileSync(path, 'from the file\n')

describe('a secret', () => {
  it('is the text itself, a variable, or the content of a file without its last line break', () => {
    expect(resolveSecret('plain', {}, 'here')).toBe('plain')
    expect(resolveSecret('env:KEY', { KEY: 'from the variable' }, 'here')).toBe('from the variable')
    expect(resolveSecret(`file:${path}`, {}, 'here')).toBe('from the file')
  })

  it('is not looked for behind a file URL', () => {
    expect(resolveSecret('file:///srv/images', {}, 'here')).toBe('file:///srv/images')
  })

  it('names where and which reference when there is nothing behind it', () => {
    expect(() => resolveSecret('env:KEY', {}, 'here')).toThrow('here: env:KEY: the environment variable is not set')
    expect(() => resolveSecret(`file:${directory}/none`, {}, 'here')).toThrow(`here: file:${directory}/none: ENOENT`)
  })

  it('is resolved at any depth of a table, and nothing else is touched', () => {
    const table = { a: 'env:KEY', list: ['env:KEY', 1], deep: { b: 'env:KEY' }, flag: true }
    expect(resolveSecrets(table, { KEY: 'k' }, 'here')).toEqual({
      a: 'k',
      list: ['k', 1],
      deep: { b: 'k' },
      flag: true,
    })
  })

  it('serves the tables of the stores', () => {
    const { config } = loadConfig(undefined, { MULLION_STORES_HTTP_PASSWORD: `file:${path}` })
    expect(config.stores['http']).toMatchObject({ password: 'from the file' })
  })

  it('serves the encryption keys, which are 32 bytes in base64', () => {
    const key = Buffer.alloc(32, 7).toString('base64')
    const env = { KEY: key, MULLION_REGISTRY_ENCRYPTION_KEYS: `new=env:KEY,old=${key}` }
    expect(loadConfig(undefined, env).config.registry.encryptionKeys).toEqual([`new=${key}`, `old=${key}`])
  })

  it('never appears in a message', () => {
    const refuse = (keys: string) => () =>
      loadConfig(undefined, { KEY: 'hunter2', MULLION_REGISTRY_ENCRYPTION_KEYS: keys })
    const at = 'MULLION_REGISTRY_ENCRYPTION_KEYS: registry.encryption_keys'
    expect(refuse('a=env:KEY')).toThrow(
      `${at}: a: expected 32 bytes in base64, as \`openssl rand -base64 32\` prints them`,
    )
    const file = join(directory, 'mullion.toml')
    writeFileSync(file, '[registry]\nencryption_keys = ["hunter2"]\n')
    expect(() => loadConfig(file, {})).toThrow(/registry\.encryption_keys\[0\]: expected ID=KEY$/)
  })
})
