import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { sourceGuard } from '../../src/config/stores.ts'

const guardOf = (env: NodeJS.ProcessEnv = {}): ((uri: string) => void) => sourceGuard(loadConfig(undefined, env).config)

describe('sourceGuard', () => {
  it.each([
    'http://169.254.169.254/',
    'http://10.0.0.1/x',
    'https://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'HTTP://2130706433/',
  ])('refuses %s by its text', (uri) => {
    expect(() => guardOf()(uri)).toThrow(expect.objectContaining({ code: 'invalid_location' }))
  })

  it('lets pass what a configured store would ask', () => {
    expect(() => guardOf()('https://example.org/x')).not.toThrow()
    expect(() => guardOf({ MULLION_STORES_HTTP_ALLOW: '["10.0.0.0/8"]' })('http://10.0.0.1/x')).not.toThrow()
  })

  it('has no say in other schemes', () => {
    expect(() => guardOf()('swift://host/x')).not.toThrow()
  })
})
