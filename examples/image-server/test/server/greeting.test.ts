import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { greeting, urlOf } from '../../src/server/greeting.ts'

const { config } = loadConfig(undefined, { MULLION_STORES_HTTP_ENABLED: 'false', MULLION_DATA_DIR: '/srv/mullion' })
const url = 'http://127.0.0.1:9292'

describe('the greeting', () => {
  it('says where the server listens, where the data is and which stores there are', () => {
    expect(greeting(config, url, true)).toMatch(
      /^mullion image server listens on http:\/\/127\.0\.0\.1:9292\ndata in \/srv\/mullion, stores: file \(default\)\n/,
    )
  })

  it('shows no upload to a server that takes none, but says how to allow it', () => {
    expect(greeting(config, url, true)).toContain(`curl -X POST -T cirros.qcow2 ${url}/v1/images `)
    expect(greeting(config, url, false)).not.toContain('-T ')
    expect(greeting(config, url, false)).toContain('allow_anonymous_writes')
  })

  it('adds an identity to its commands where one is asked for', () => {
    const trusted = loadConfig(undefined, { MULLION_PIPELINE_FLAVOUR: 'trusted-auth' }).config
    expect(greeting(trusted, url, true).match(/x-identity-status: Confirmed/g)).toHaveLength(2)
    expect(greeting(config, url, true)).not.toContain('x-identity-status')
    const keystone = {
      MULLION_PIPELINE_FLAVOUR: 'keystone',
      MULLION_KEYSTONE_URL: 'https://keystone.example/v3',
      MULLION_KEYSTONE_APPLICATION_CREDENTIAL_ID: 'id',
      MULLION_KEYSTONE_APPLICATION_CREDENTIAL_SECRET: 'secret',
    }
    const shown = greeting(loadConfig(undefined, keystone).config, url, true)
    expect(shown.match(/-H "x-auth-token: \$OS_TOKEN"/g)).toHaveLength(2)
    expect(shown).not.toContain('?is_public=none')
  })

  it('warns that identities are believed where other machines can send them', () => {
    const env = { MULLION_PIPELINE_FLAVOUR: 'trusted-auth', MULLION_HOST: '0.0.0.0' }
    expect(greeting(loadConfig(undefined, env).config, url, true)).toContain('identity headers are believed')
    expect(greeting(loadConfig(undefined, { ...env, MULLION_HOST: '::1' }).config, url, true)).not.toContain('believed')
  })

  it('lists private images too where everybody is an administrator', () => {
    expect(greeting(config, url, true)).toContain(`curl '${url}/v1/images/detail?is_public=none'`)
  })

  it('names an address that a client on this machine can use', () => {
    expect(urlOf({ address: '0.0.0.0', family: 'IPv4', port: 1 })).toBe('http://localhost:1')
    expect(urlOf({ address: '::', family: 'IPv6', port: 1 })).toBe('http://localhost:1')
    expect(urlOf({ address: '::1', family: 'IPv6', port: 1 })).toBe('http://[::1]:1')
  })
})
