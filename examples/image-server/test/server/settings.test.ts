import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { createLog } from '../../src/server/log.ts'
import { allowsAnonymousWrites, appSettings } from '../../src/server/settings.ts'

const log = createLog('silent')

describe('the settings of the application', () => {
  it('turn seconds into milliseconds and pass the limits on', () => {
    const { config } = loadConfig(undefined, {
      MULLION_CLIENT_SOCKET_TIMEOUT: '1.5',
      MULLION_LIMITS_IMAGE_SIZE_CAP: '7',
      MULLION_LIMITS_IMAGE_PROPERTY_QUOTA: '-1',
      MULLION_LIMITS_IMAGE_PROPERTIES_SIZE: '9',
      MULLION_DELETION_DELAYED_DELETE: 'true',
      MULLION_PIPELINE_FLAVOUR: 'trusted-auth',
      MULLION_AUTH_ADMIN_ROLE: 'boss',
    })
    expect(appSettings(config, log)).toMatchObject({
      idleTimeoutMs: 1500,
      imageSizeCap: 7,
      propertyQuota: -1,
      propertiesSize: 9,
      delayedDelete: true,
      auth: 'trusted',
      adminRole: 'boss',
    })
  })

  it.each([
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['localhost', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['::', false],
    ['192.168.0.1', false],
    ['images.example.org', false],
  ])('let strangers write on %s: %s', (host, writable) => {
    expect(allowsAnonymousWrites(loadConfig(undefined, { MULLION_HOST: host }).config)).toBe(writable)
  })

  it('let strangers write, or not, wherever the operator says so', () => {
    const env = { MULLION_HOST: '0.0.0.0', MULLION_AUTH_ALLOW_ANONYMOUS_WRITES: 'true' }
    expect(allowsAnonymousWrites(loadConfig(undefined, env).config)).toBe(true)
    const strict = { MULLION_AUTH_ALLOW_ANONYMOUS_WRITES: 'false' }
    expect(allowsAnonymousWrites(loadConfig(undefined, strict).config)).toBe(false)
  })
})
