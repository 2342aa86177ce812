import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'

describe('[registry]', () => {
  it('resolves the token, and keeps what was not set at its default', () => {
    const { registry } = loadConfig(undefined, {
      MULLION_REGISTRY_URL: 'https://registry.example',
      MULLION_REGISTRY_AUTH: 'token',
      MULLION_REGISTRY_TOKEN: 'env:SECRET',
      SECRET: 'hunter2',
    }).config
    expect(registry).toMatchObject({ token: 'hunter2', host: '127.0.0.1', port: 9191, timeout: 30, roles: ['admin'] })
  })

  it.each([
    [{ MULLION_REGISTRY_AUTH: 'token' }, 'registry.token: expected a token, as auth is "token"'],
    [{ MULLION_REGISTRY_URL: 'registry:9191' }, 'registry.url: expected an http or https URL'],
    [{ MULLION_REGISTRY_AUTH: 'token', MULLION_REGISTRY_TOKEN: 'env:NOBODY' }, 'env:NOBODY: the environment variable'],
  ])('refuses %j', (env, problem) => {
    expect(() => loadConfig(undefined, env)).toThrow(problem)
  })
})
