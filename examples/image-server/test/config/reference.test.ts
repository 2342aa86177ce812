import { describe, expect, it } from 'vitest'
import { CONFIG_KEYS } from '../../src/config/keys.ts'
import { configReference } from '../../src/config/reference.ts'

describe('the reference of the configuration', () => {
  it('is what docs/configuration.md says; `npx vitest run reference -u` writes it', async () => {
    await expect(configReference()).toMatchFileSnapshot('../../../../docs/configuration.md')
  })

  it('describes every key and gives each a variable of its own', () => {
    expect(CONFIG_KEYS.filter(({ description }) => description === '')).toEqual([])
    expect(new Set(CONFIG_KEYS.map(({ variable }) => variable)).size).toBe(CONFIG_KEYS.length)
  })

  it('derives the variable from section and key', () => {
    const variables = Object.fromEntries(CONFIG_KEYS.map(({ name, variable }) => [name, variable]))
    expect(variables).toMatchObject({
      host: 'MULLION_HOST',
      data_dir: 'MULLION_DATA_DIR',
      'limits.api_limit_max': 'MULLION_LIMITS_API_LIMIT_MAX',
      'registry.encryption_keys': 'MULLION_REGISTRY_ENCRYPTION_KEYS',
    })
  })

  it('keeps clear of the variables of the test services', () => {
    const theirs = ['MULLION_SERVICES_DIR', 'MULLION_PORT_BASE', 'MULLION_NO_INSTALL']
    expect(CONFIG_KEYS.filter(({ variable }) => theirs.includes(variable))).toEqual([])
  })
})
