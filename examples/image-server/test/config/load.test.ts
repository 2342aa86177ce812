import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { isMullionError } from 'mullion'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'

const directory = mkdtempSync(join(tmpdir(), 'mullion-config-'))
afterAll(() => rmSync(directory, { recursive: true }))

function file(content: string): string {
  const path = join(directory, 'mullion.toml')
  writeFileSync(path, content)
  return path
}

function refused(content: string | undefined, env: Record<string, string> = {}): string {
  try {
    loadConfig(content === undefined ? undefined : file(content), env)
  } catch (error) {
    if (isMullionError(error, 'invalid_config')) return error.message.replaceAll(directory, '')
    throw error
  }
  return expect.fail('the configuration was accepted')
}

describe('a configuration', () => {
  it('needs no file: defaults listen on loopback and keep everything in ./data', () => {
    const { config, warnings } = loadConfig(undefined, {})
    expect(config).toMatchObject({ host: '127.0.0.1', port: 9292, dataDir: resolve('data'), defaultStore: 'file' })
    expect(config.stores).toEqual({
      file: { type: 'file', enabled: true, dir: resolve('data/images') },
      http: { type: 'http', enabled: true },
    })
    expect(warnings).toEqual([])
  })

  it('has the limits and formats of Glance by default', () => {
    const { limits, images, deletion, auth, pipeline } = loadConfig(undefined, {}).config
    expect(limits).toEqual({
      imageSizeCap: 1_099_511_627_776,
      imagePropertyQuota: 128,
      imagePropertiesSize: 65_536,
      imageMemberQuota: 128,
      userStorageQuota: '0',
      limitParamDefault: 25,
      apiLimitMax: 1000,
      maxHeaderLine: 16_384,
      maxRequestIdLength: 64,
    })
    expect(images.diskFormats).toEqual(['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso'])
    expect(images.containerFormats).toEqual(['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker'])
    expect(deletion).toEqual({ delayedDelete: false, scrubTime: 0, wakeupTime: 300 })
    expect(auth).toEqual({ adminRole: 'admin', ownerIsTenant: true, allowAnonymousAccess: false, tokens: [] })
    expect(pipeline).toEqual({ flavour: '', trustedProxies: [] })
  })

  it('comes from a TOML file with keys in lower case and underscores', () => {
    const { config } = loadConfig(
      file(`port = 80
data_dir = "/srv/mullion"
default_store = "fast"
[limits]
api_limit_max = 10
[stores.fast]
type = "file"
dir = "/srv/nvme"
[stores.http]
max_redirects = 0`),
      {},
    )
    expect(config).toMatchObject({
      port: 80,
      dataDir: '/srv/mullion',
      defaultStore: 'fast',
      limits: { apiLimitMax: 10 },
    })
    expect(config.stores).toEqual({
      fast: { type: 'file', enabled: true, dir: '/srv/nvme' },
      file: { type: 'file', enabled: true, dir: '/srv/mullion/images' },
      http: { type: 'http', enabled: true, maxRedirects: 0 },
    })
  })

  it('lets the environment win over the file', () => {
    const content = 'port = 80\n[limits]\napi_limit_max = 10\n[stores.fast]\ntype = "file"\ndir = "/a"'
    const { config } = loadConfig(file(content), {
      MULLION_PORT: '8080',
      MULLION_LIMITS_API_LIMIT_MAX: '20',
      MULLION_AUTH_OWNER_IS_TENANT: 'false',
      MULLION_IMAGES_DISK_FORMATS: 'raw, qcow2',
      MULLION_DELETION_SCRUB_TIME: '1.5',
      MULLION_STORES_FAST_DIR: '/b',
      MULLION_STORES_FAST_READ_ONLY: 'true',
      MULLION_STORES_FAST_LABEL: '"12"',
    })
    expect(config.port).toBe(8080)
    expect(config.limits.apiLimitMax).toBe(20)
    expect(config.auth.ownerIsTenant).toBe(false)
    expect(config.images.diskFormats).toEqual(['raw', 'qcow2'])
    expect(config.deletion.scrubTime).toBe(1.5)
    expect(config.stores['fast']).toEqual({ type: 'file', enabled: true, dir: '/b', readOnly: true, label: '12' })
  })

  it('leaves out a store that is not enabled', () => {
    expect(loadConfig(undefined, { MULLION_STORES_HTTP_ENABLED: 'false' }).config.stores['http']).toEqual({
      type: 'http',
      enabled: false,
    })
  })

  it('counts an empty variable as not set, and a comma as an empty list', () => {
    expect(loadConfig(undefined, { MULLION_PORT: '' }).config.port).toBe(9292)
    const env = { MULLION_IMAGES_REFUSED_SCHEMES: ',', MULLION_POLICY_ADD_IMAGE: '' }
    const { images, policy } = loadConfig(undefined, env).config
    expect([images.refusedSchemes, policy.addImage]).toEqual([[], undefined])
  })
})

describe('a refused configuration', () => {
  it.each([
    ['port = "80"', '/mullion.toml: port: expected number, got "80"'],
    ['port = 70000', '/mullion.toml: port: expected number to be <=65535, got 70000'],
    ['prot = 80', '/mullion.toml: prot: unknown key; known here: host, port, data_dir'],
    ['[limits]\nimage_size = 1', '/mullion.toml: limits.image_size: unknown key; known here: image_size_cap'],
    ['[limit]\nimage_size_cap = 1', '/mullion.toml: limit: unknown key'],
    ['[limits]\nimageSizeCap = 1', '/mullion.toml: imageSizeCap: a key is written in lower case with underscores'],
    ['[log]\nlevel = "loud"', '/mullion.toml: log.level: expected one of "fatal"|"error"'],
    ['[images]\ndisk_formats = ["raw", ""]', '/mullion.toml: images.disk_formats[1]: expected visible ASCII'],
    [
      'public_endpoint = "ftp://host"',
      '/mullion.toml: public_endpoint: expected an http or https URL, got "ftp://host"',
    ],
    ['[stores.fast]\ndir = "/a"', '/mullion.toml: stores.fast.type: expected string, got nothing'],
    ['[stores]\nfast = 1', '/mullion.toml: stores.fast: expected object, got 1'],
    ['default_store = "fast"', '/mullion.toml: default_store: no such store, got "fast"; enabled: file, http'],
    ['[stores.file]\nenabled = false', 'default_store: no such store, got "file"; enabled: http'],
    ['port = \n', '/mullion.toml: line 1, column'],
  ])('names file, key and problem of %j', (content, message) => {
    expect(refused(content)).toContain(message)
  })

  it('names the variable when the value came from the environment', () => {
    expect(refused('port = 80', { MULLION_PORT: 'tcp://10.0.0.1:9292' })).toBe(
      'MULLION_PORT: port: expected number, got "tcp://10.0.0.1:9292"',
    )
    expect(refused(undefined, { MULLION_AUTH_OWNER_IS_TENANT: 'yes' })).toBe(
      'MULLION_AUTH_OWNER_IS_TENANT: auth.owner_is_tenant: expected boolean, got "yes"',
    )
    expect(refused(undefined, { MULLION_DEFAULT_STORE: 'fast' })).toMatch(
      /^MULLION_DEFAULT_STORE: default_store: no such store/,
    )
  })

  it('lists every problem on a line of its own', () => {
    expect(refused('port = -1\nhost = 1').split('\n')).toEqual([
      '/mullion.toml: host: expected string, got 1',
      '/mullion.toml: port: expected number to be >=0, got -1',
    ])
  })

  it('names a file that is not there or is a directory', () => {
    expect(() => loadConfig(join(directory, 'none.toml'), {})).toThrow(/none\.toml: no such file$/)
    expect(() => loadConfig(directory, {})).toThrow(/: is a directory$/)
  })
})

describe('MULLION_ variables that are no keys', () => {
  it('are refused below a section: those are mistyped keys', () => {
    expect(refused(undefined, { MULLION_LIMITS_IMAGE_SIZE: '1' })).toMatch(/^MULLION_LIMITS_IMAGE_SIZE: no such key/)
    expect(refused(undefined, { MULLION_STORES_FAST_DIR: '/a' })).toMatch(
      /^MULLION_STORES_FAST_DIR: no such store; known: file, http/,
    )
  })

  it('only warn elsewhere: other programs have variables of that name', () => {
    const { warnings } = loadConfig(undefined, {
      MULLION_PROT: '1',
      MULLION_SERVICES_DIR: '/tmp',
      MULLION_CONFIG: 'x',
      PATH: '',
    })
    expect(warnings).toEqual([
      'MULLION_PROT is no setting of this server; it was ignored',
      'MULLION_SERVICES_DIR is no setting of this server; it was ignored',
    ])
  })
})
