import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { codeBlocks } from '../../../../test/docs/markdown.ts'
import { loadConfig } from '../../src/config/load.ts'

it('docs/registry.md has configurations that are accepted', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mullion-docs-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/registry.md'), 'utf8')
  const [forRegistry, forServer] = codeBlocks(page)
    .filter(({ language }) => language === 'toml')
    .map(({ text }, index) => {
      const file = join(directory, `${index}.toml`)
      writeFileSync(file, text.replaceAll('/run/secrets', directory))
      return file
    })
  writeFileSync(join(directory, 'images-token'), `${'t'.repeat(32)}\n`)
  writeFileSync(join(directory, 'location-key'), `${Buffer.alloc(32, 1).toString('base64')}\n`)
  expect(loadConfig(forRegistry, {}).config.auth.tokens[0]?.token).toBe('t'.repeat(32))
  expect(loadConfig(forServer, {}).config.registry).toMatchObject({
    url: 'https://registry.example:9191',
    token: 't'.repeat(32),
    encryptionKeys: [`2026-11=${Buffer.alloc(32, 1).toString('base64')}`],
  })
})
