import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { credentialsOf, tokensOf } from '../../src/config/identity.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createLog } from '../../src/server/log.ts'
import { appSettings } from '../../src/server/settings.ts'

function file(content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'mullion-config-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'mullion.toml')
  writeFileSync(path, content)
  return path
}
const message = (read: () => unknown): string => {
  try {
    read()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}
const load = (env: Record<string, string>) => loadConfig(undefined, env).config
const KEYSTONE = { MULLION_PIPELINE_FLAVOUR: 'keystone', MULLION_KEYSTONE_URL: 'https://keystone.example/v3' }
const LOGIN = {
  MULLION_KEYSTONE_USER: 'glance',
  MULLION_KEYSTONE_PASSWORD: 'secret',
  MULLION_KEYSTONE_PROJECT: 'service',
}

describe('the pipeline in the configuration', () => {
  it.each([
    [
      { MULLION_PIPELINE_FLAVOUR: 'trusted' },
      /^MULLION_PIPELINE_FLAVOUR: pipeline\.flavour: expected one of ""\|"caching"/,
    ],
    [
      { MULLION_PIPELINE_STEPS: 'osprofiler,app' },
      /pipeline\.steps\[0\]: expected one of "cors"\|.*, got "osprofiler"/,
    ],
    [{ MULLION_PIPELINE_STEPS: 'context,authtoken,app' }, /pipeline\.steps: authtoken: put it before context, got/],
    [{ MULLION_PIPELINE_STEPS: 'unauthenticated-context' }, /pipeline\.steps: app is missing: put it at the end, got/],
    [
      { MULLION_PIPELINE_STEPS: 'unauthenticated-context,app', MULLION_PIPELINE_FLAVOUR: 'caching' },
      /pipeline\.steps: expected either a flavour or steps, not both/,
    ],
    [{ MULLION_PIPELINE_TRUSTED_PROXIES: '10.0.0.0/99' }, /trusted_proxies\[0\]: expected an address or a network/],
    [{ MULLION_AUTH_FLAVOUR: 'trusted' }, /^MULLION_AUTH_FLAVOUR: no such key/],
    [
      { MULLION_CORS_ALLOWED_ORIGINS: '*', MULLION_CORS_ALLOW_CREDENTIALS: 'true' },
      /cors\.allowed_origins: expected origins by name/,
    ],
    [{ MULLION_CORS_ALLOWED_ORIGINS: 'https://a.example/' }, /cors\.allowed_origins\[0\]: expected an origin/],
  ])('is refused with what to do: %j', (env, expected) => {
    expect(message(() => load(env))).toMatch(expected)
  })

  it('can be listed step by step', () => {
    const steps = 'healthcheck,gzip,versionnegotiation,unauthenticated-context,cache,cachemanage,app'
    const settings = appSettings(load({ MULLION_PIPELINE_STEPS: steps }), createLog('silent'))
    expect(settings.front?.steps).toEqual(['healthcheck', 'gzip', 'versionnegotiation'])
    expect(settings).toMatchObject({ auth: 'none', cacheManagement: true })
  })
})

describe('identities that nobody would ask for', () => {
  const TOKENS = `[[auth.tokens]]\nsha256 = "${'0'.repeat(64)}"\n`
  const KEYSTONE_URL = '[keystone]\nurl = "https://keystone.example/v3"\n'
  const REGISTRY = '[registry]\nurl = "https://registry.example"\n'

  it.each([
    ['tokens without a flavour', TOKENS, {}, /^auth\.tokens: .*pipeline\.flavour/],
    [
      'tokens behind a proxy',
      TOKENS,
      { MULLION_PIPELINE_FLAVOUR: 'trusted-auth' },
      /^auth\.tokens: .*pipeline\.flavour/,
    ],
    ['Keystone without a flavour', KEYSTONE_URL, {}, /^keystone\.url: .*pipeline\.flavour/],
    [
      'Keystone and a list of steps without it',
      KEYSTONE_URL,
      { MULLION_PIPELINE_STEPS: 'unauthenticated-context,app' },
      /^keystone\.url: .*pipeline\.flavour/,
    ],
  ])('are refused: %s', (_what, content, env, expected) => {
    expect(message(() => loadConfig(file(content), env))).toMatch(expected)
  })

  it('are fine where the registry is who asks, and where they are empty', () => {
    const toRegistry = `${KEYSTONE_URL}${REGISTRY}auth = "keystone"\n`
    expect(message(() => loadConfig(file(toRegistry), {}))).toBe('')
    expect(message(() => loadConfig(file('auth.tokens = []'), {}))).toBe('')
  })
})

describe('the login at Keystone', () => {
  it('is a password in a project, or an application credential by id or by name', () => {
    const { keystone } = load({ ...KEYSTONE, ...LOGIN, MULLION_KEYSTONE_PROJECT_DOMAIN: 'Ops' })
    expect(credentialsOf(keystone)).toEqual({
      kind: 'password',
      user: { name: 'glance', domain: { id: 'default' } },
      password: 'secret',
      project: { name: 'service', domain: { name: 'Ops' } },
    })
    const secret = { ...KEYSTONE, MULLION_KEYSTONE_APPLICATION_CREDENTIAL_SECRET: 'env:SECRET', SECRET: 's3cret' }
    const byId = load({ ...secret, MULLION_KEYSTONE_APPLICATION_CREDENTIAL_ID: 'i' })
    expect(credentialsOf(byId.keystone)).toEqual({ kind: 'applicationCredential', id: 'i', secret: 's3cret' })
    const byName = load({
      ...secret,
      MULLION_KEYSTONE_APPLICATION_CREDENTIAL_NAME: 'n',
      MULLION_KEYSTONE_USER_ID: 'u',
    })
    expect(credentialsOf(byName.keystone)).toEqual({
      kind: 'applicationCredential',
      name: 'n',
      user: { id: 'u' },
      secret: 's3cret',
    })
  })

  it.each<[string, Record<string, string>, RegExp]>([
    ['nothing', { MULLION_KEYSTONE_URL: '' }, /^keystone\.url: tokens cannot be validated without it/],
    ['no login', {}, /^keystone: expected either password or application_credential_secret/],
    [
      'two logins',
      { ...LOGIN, MULLION_KEYSTONE_APPLICATION_CREDENTIAL_SECRET: 'x' },
      /^keystone: expected either password or application_credential_secret/,
    ],
    ['no user', { ...LOGIN, MULLION_KEYSTONE_USER: '' }, /^keystone: expected either user or user_id/],
    [
      'two projects',
      { ...LOGIN, MULLION_KEYSTONE_PROJECT_ID: 'x' },
      /^keystone: expected either project or project_id/,
    ],
    [
      'a secret of nothing',
      { MULLION_KEYSTONE_APPLICATION_CREDENTIAL_SECRET: 'x' },
      /^keystone: expected either application_credential_id or application_credential_name/,
    ],
    ['another kind of URL', { ...LOGIN, MULLION_KEYSTONE_URL: 'ldap://x' }, /expected an http or https URL/],
    ['a secret that is not there', { ...LOGIN, MULLION_KEYSTONE_PASSWORD: 'env:NONE' }, /env:NONE: the environment/],
  ])('is refused with %s', (_what, env, expected) => {
    expect(message(() => load({ ...KEYSTONE, ...env }))).toMatch(expected)
  })

  it('does not matter to a server that asks nobody', () => {
    expect(message(() => load({ MULLION_KEYSTONE_USER: 'x' }))).toBe('')
  })

  it('trusts the authorities of a file only if there are some', () => {
    const settings = (ca: string) => () =>
      appSettings(load({ ...KEYSTONE, ...LOGIN, MULLION_KEYSTONE_CA: ca }), createLog('silent'))
    expect(message(settings('/nowhere/ca.pem'))).toMatch(/^keystone\.ca: \/nowhere\/ca\.pem: ENOENT/)
    expect(message(settings(file('no certificate')))).toMatch(/^keystone\.ca: .*expected PEM certificates/)
  })
})

describe('tokens in the configuration', () => {
  const TOKEN = 'a-token-that-is-long-enough'
  const digest = createHash('sha256').update(TOKEN).digest('hex')
  const tables = (...entries: string[]) =>
    loadConfig(
      file(`[pipeline]\nflavour = "tokens"\n${entries.map((entry) => `[[auth.tokens]]\n${entry}`).join('\n')}`),
      { CI_TOKEN: TOKEN },
    ).config

  it('are texts, references, or digests', () => {
    const expected = [{ sha256: digest, user: 'ci', tenant: 'demo', roles: ['member'] }]
    const who = 'user = "ci"\ntenant = "demo"\nroles = ["member"]'
    for (const key of [`token = "${TOKEN}"`, 'token = "env:CI_TOKEN"', `sha256 = "${digest}"`]) {
      expect(tokensOf(tables(`${key}\n${who}`))).toEqual(expected)
    }
  })

  it.each<[string, string[], RegExp]>([
    ['none at all', [], /^auth\.tokens: nobody could log in: add a table \[\[auth\.tokens\]\]/],
    ['one without a token', ['user = "ci"'], /auth\.tokens\[0\]: expected either token or sha256/],
    [
      'one with both',
      [`token = "${TOKEN}"\nsha256 = "${digest}"`],
      /auth\.tokens\[0\]: expected either token or sha256/,
    ],
    ['a short one', ['token = "hunter2"'], /^auth\.tokens\[0\]\.token: expected at least 20 visible ASCII characters/],
    ['a digest that is none', ['sha256 = "abc"'], /auth\.tokens\[0\]\.sha256: expected 64 lower-case hex digits/],
    ['the same twice', [`token = "${TOKEN}"`, `sha256 = "${digest}"`], /^auth\.tokens\[1\]: the same token/],
    ['an unknown key', [`token = "${TOKEN}"\nproject = "x"`], /auth\.tokens\[0\]\.project: unknown key/],
  ])('are refused: %s, and no secret is shown', (_what, entries, expected) => {
    const said = message(() => tables(...entries))
    expect(said).toMatch(expected)
    expect(said).not.toContain('hunter2')
    expect(said).not.toContain(TOKEN)
  })
})
