import { describe, expect, it } from 'vitest'
import { configSchema, type SftpConfig } from '../src/config.ts'

const LEAST: SftpConfig = {
  host: 'images.example',
  user: 'mullion',
  root: '/srv/images',
  password: 'secret',
  hostFingerprint: 'SHA256:Vj43SPDaJZX/LhuLKqJ1jNHnxp0KxHpN+AeL6OUo6hk',
}

function issuesOf(change: object): string {
  const result = configSchema.safeParse({ ...LEAST, ...change })
  return result.success ? '' : result.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ')
}

describe('the configuration of an sftp store', () => {
  it('fills in what is left out', () => {
    expect(configSchema.parse(LEAST)).toEqual({
      host: 'images.example',
      port: 22,
      user: 'mullion',
      root: '/srv/images',
      password: 'secret',
      hostFingerprints: [LEAST.hostFingerprint],
      connections: 4,
      idleConnectionMs: 60_000,
      connectTimeoutMs: 10_000,
      handshakeTimeoutMs: 20_000,
      responseTimeoutMs: 60_000,
      keepaliveIntervalMs: 20_000,
      staleUploadMs: 604_800_000,
    })
  })

  it('brings hosts, roots, fingerprints and permissions into one form', () => {
    const { host, root, hostFingerprints, permissions } = configSchema.parse({
      ...LEAST,
      host: 'IMAGES.Example',
      root: '/srv//images/',
      hostFingerprint: [`${String(LEAST.hostFingerprint)}=`],
      permissions: '0640',
    })
    expect({ host, root, hostFingerprints, permissions }).toEqual({
      host: 'images.example',
      root: '/srv/images',
      hostFingerprints: [LEAST.hostFingerprint],
      permissions: 0o640,
    })
    expect(configSchema.parse({ ...LEAST, root: '/' }).root).toBe('/')
  })

  it('switches sweeping off with false alone', () => {
    expect(configSchema.parse({ ...LEAST, staleUploadMs: false }).staleUploadMs).toBeUndefined()
    expect(issuesOf({ staleUploadMs: 0 })).not.toBe('')
  })

  it.each([
    [{ hostFingerprint: undefined }, /knownHosts or hostFingerprint/],
    [{ hostFingerprint: 'MD5:aa:bb' }, /SHA256/],
    [{ hostFingerprint: [] }, /hostFingerprint/],
    [{ password: undefined }, /privateKey, agent or password/],
    [{ passphrase: 'x' }, /no privateKey/],
    [{ root: 'srv/images' }, /absolute/],
    [{ root: '/srv/../etc' }, /without \. and \.\./],
    [{ root: '/srv/\0' }, /NUL/],
    [{ host: 'user@host' }, /host/],
    [{ host: '[::1]' }, /without port and brackets/],
    [{ host: '' }, /host/],
    [{ host: 'images.example:22' }, /`port` takes the port/],
    [{ staleUploadMs: 3_599_999 }, /staleUploadMs/],
    [{ port: 0 }, /port/],
    [{ permissions: '888' }, /octal/],
    [{ permissions: '440' }, /owner/],
    [{ connections: 0 }, /connections/],
    [{ responseTimeoutMs: 2 ** 31 }, /responseTimeoutMs/],
    [{ algorithms: { cipher: [] } }, /algorithms/],
    [{ algorithms: { ciphers: ['x'] } }, /ciphers/],
    [{ strictHostKeyChecking: false }, /strictHostKeyChecking/],
  ])('refuses %o', (change, message) => {
    expect(issuesOf(change)).toMatch(message)
  })
})
