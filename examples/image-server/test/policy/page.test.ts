import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { DEFAULT_RULES } from '../../src/policy/defaults.ts'
import { parsePolicy } from '../../src/policy/policy-file.ts'
import { readProtections } from '../../src/protections/rules.ts'
import { question } from './questions.ts'

const page = readFileSync(new URL('../../../../docs/policies.md', import.meta.url), 'utf8')

function blocks(language: string): readonly string[] {
  const found = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, name]) => name === language)
  return found.map(([, , text = '']) => text)
}

describe('docs/policies.md', () => {
  it('names every rule, and its default', () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| .* \| (.*) \|$/gm)].map(([, rule = '', who = '']) => [rule, who])
    const words: Readonly<Record<string, string>> = { '@': 'everybody', 'is_admin:True': 'administrators' }
    const expected = Object.entries(DEFAULT_RULES).map(([rule, text]) => [rule, words[text] ?? `\`${text}\``])
    expect(rows).toEqual(expected)
  })

  it('has policies that are accepted and do what they say', () => {
    const [text = ''] = blocks('yaml')
    const rules = parsePolicy('policy', text)
    const download = (roles: readonly string[], licensed: string): boolean =>
      rules.passes('download_image', question({ roles }, { licensed }))
    expect([download(['member'], 'no'), download(['member'], 'yes'), download(['licensed'], 'yes')]).toEqual([
      true,
      false,
      true,
    ])
  })

  it('has configurations that are accepted', () => {
    const directory = mkdtempSync(join(tmpdir(), 'mullion-page-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const configs = blocks('toml').map((text, at) => {
      const file = join(directory, `${at}.toml`)
      writeFileSync(file, text)
      return loadConfig(file, {}).config
    })
    expect(configs.map(({ policy, protections }) => [policy.file, policy.addImage, protections.file])).toEqual([
      ['/etc/mullion/policy.yaml', undefined, undefined],
      [undefined, 'role:uploader or rule:context_is_admin', undefined],
      [undefined, undefined, '/etc/mullion/property-protections.conf'],
    ])
  })

  it('has protections that are accepted and do what they say', () => {
    const [text = ''] = blocks('ini')
    const protections = readProtections(text, 'roles', () => false)
    const auditor = { user: 'u', tenant: 'p', owner: 'p', roles: ['auditor'], admin: false, readOnly: false }
    const may = (['create', 'read'] as const).map((operation) => protections.may(operation, 'x_billing_id', auditor))
    expect([...may, protections.may('delete', 'other', auditor)]).toEqual([false, true, true])
  })
})
