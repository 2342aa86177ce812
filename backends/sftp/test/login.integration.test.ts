import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createStores, isMullionError } from 'mullion'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import type { SftpConfig } from '../src/config.ts'
import { sftp } from '../src/index.ts'
import { type Sshd, startSshd } from './sshd.ts'
import {
  bytesAt,
  configFor,
  ENV,
  failureOf,
  makeDirectory,
  namesIn,
  openStore,
  removeDirectory,
  streamOf,
  writing,
} from './support.ts'

describeWithService(ENV, 'sftp.sh', 'logging in with OpenSSH', (service) => {
  let root: string
  beforeAll(() => {
    root = makeDirectory(service)
  })
  afterAll(() => removeDirectory(root))
  const keys = dirname(service.SFTP_KNOWN_HOSTS)
  const text = (path: string): string => readFileSync(path, 'utf8')

  /** Writes an object and reads it again. */
  async function works(change: Partial<SftpConfig>): Promise<void> {
    const store = await openStore(configFor(service, root, change))
    try {
      const { at } = await store.write(`k${Math.random()}`, streamOf('bytes'), writing())
      expect(String(await bytesAt(store, at))).toBe('bytes')
    } finally {
      await store.close()
    }
  }

  /** What a write is refused with; nothing may have been written. */
  async function refusal(change: Partial<SftpConfig>): Promise<unknown> {
    const before = namesIn(root)
    const store = await openStore(configFor(service, root, change))
    try {
      return await failureOf(store.write('refused', streamOf('bytes'), writing()))
    } finally {
      await store.close()
      expect(namesIn(root)).toEqual(before)
    }
  }

  const none = { privateKey: undefined }
  describe('as a user', () => {
    it.each<[string, Partial<SftpConfig>]>([
      ['a password', { ...none, password: service.SFTP_PASSWORD }],
      ['a file with a key', { privateKey: service.SFTP_PRIVATE_KEY }],
      ['the text of a key', { privateKey: text(service.SFTP_PRIVATE_KEY) }],
      ['an RSA key in PEM', { privateKey: service.SFTP_PRIVATE_KEY_RSA }],
      ['an encrypted key', { privateKey: service.SFTP_PRIVATE_KEY_ENCRYPTED, passphrase: service.SFTP_PASSPHRASE }],
      [
        'a password where the key is another one',
        { privateKey: join(keys, 'host_rsa'), password: service.SFTP_PASSWORD },
      ],
      ['a password where the ssh-agent is none', { ...none, agent: '/no/such', password: service.SFTP_PASSWORD }],
    ])('works with %s', (_, change) => works(change))

    it('works with a password where the ssh-agent cannot answer', async () => {
      const socket = join(tmpdir(), `mullion-agent-refusing-${process.pid}`)
      const failing = createServer((peer) => void peer.on('data', () => peer.write(Buffer.from([0, 0, 0, 1, 5]))))
      await once(failing.listen(socket), 'listening')
      onTestFinished(() => void failing.close())
      await works({ ...none, agent: socket, password: service.SFTP_PASSWORD })
    })

    it('works with an ssh-agent, until that is gone', async () => {
      const socket = join(tmpdir(), `mullion-agent-${process.pid}`)
      const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] })
      await once(agent.stdout, 'data')
      try {
        execFileSync('ssh-add', [service.SFTP_PRIVATE_KEY], {
          env: { ...process.env, SSH_AUTH_SOCK: socket },
          stdio: 'pipe',
        })
        await works({ ...none, agent: socket })
      } finally {
        agent.kill()
        await once(agent, 'exit')
      }
      expect(await refusal({ ...none, agent: socket })).toMatchObject({ code: 'unauthenticated' })
    })

    it.each<[string, Partial<SftpConfig>]>([
      ['a wrong password', { ...none, password: 'hunter2secret' }],
      ['a wrong key', { privateKey: join(keys, 'host_ed25519') }],
      ['a user that does not exist', { user: 'nobody-of-that-name', password: 'hunter2secret' }],
    ])('is refused with unauthenticated for %s, and the error holds no secret', async (_, change) => {
      const error = await refusal(change)
      expect(error).toMatchObject({ code: 'unauthenticated', retryable: false })
      expect(JSON.stringify(error) + String(error)).not.toContain('hunter2secret')
    })

    it.each<[string, Partial<SftpConfig>, RegExp]>([
      ['a file that is not there', { privateKey: '/no/such/key' }, /privateKey: cannot read the file: ENOENT/],
      ['an encrypted key without a passphrase', { privateKey: service.SFTP_PRIVATE_KEY_ENCRYPTED }, /passphrase/],
      [
        'a wrong passphrase',
        { privateKey: service.SFTP_PRIVATE_KEY_ENCRYPTED, passphrase: 'hunter2' },
        /^(?!.*hunter2).*passphrase/,
      ],
      ['a public key', { privateKey: `${service.SFTP_PRIVATE_KEY}.pub` }, /public key/],
      ['no key at all', { privateKey: '-----BEGIN NOTHING-----' }, /privateKey/],
      ['known hosts that are not there', { knownHosts: '/no/such/hosts' }, /knownHosts: cannot read the file: ENOENT/],
    ])('is not even tried with %s', async (_, change, message) => {
      const opening = createStores({ stores: { images: sftp(configFor(service, root, change)) }, default: 'images' })
      const error = await failureOf(opening)
      expect(isMullionError(error, 'invalid_config')).toBe(true)
      expect(String(error)).toMatch(message)
    })

    it('answers what a server asks for interactively with the password', async () => {
      const sshd = await startSshd(service, {
        lines: ['PasswordAuthentication no', 'KbdInteractiveAuthentication yes', 'UsePAM yes'],
      })
      onTestFinished(() => sshd.kill())
      await works({ ...none, port: sshd.port, password: service.SFTP_PASSWORD })
    })
  })

  describe('to a server', () => {
    const byFile = { hostFingerprint: undefined, knownHosts: service.SFTP_KNOWN_HOSTS }
    const lines = text(service.SFTP_KNOWN_HOSTS).trim().split('\n')
    const lineOf = (type: string): string => lines.find((line) => line.includes(` ${type} `)) ?? ''
    const ofOtherHost = lines.map((line) => line.replace(/^\S+/, 'other.example')).join('\n')

    it.each<[string, Partial<SftpConfig>]>([
      ['a fingerprint', {}],
      ['one of several fingerprints', { hostFingerprint: [`SHA256:${'A'.repeat(43)}`, service.SFTP_HOST_FINGERPRINT] }],
      ['a file of known hosts', byFile],
      ['the text of known hosts', { ...byFile, knownHosts: lines.join('\n') }],
      ['its RSA key alone', { ...byFile, knownHosts: lineOf('ssh-rsa') }],
      ['its ECDSA key alone', { ...byFile, knownHosts: lineOf('ecdsa-sha2-nistp256') }],
      ['a fingerprint, though known hosts have none of it', { knownHosts: ofOtherHost }],
    ])('is trusted by %s', (_, change) => works(change))

    it('is trusted by a file that ssh-keygen hashed', async () => {
      const copy = join(root, 'hashed_hosts')
      execFileSync('cp', [service.SFTP_KNOWN_HOSTS, copy])
      execFileSync('ssh-keygen', ['-q', '-H', '-f', copy], { stdio: 'pipe' })
      const hashed = text(copy)
      execFileSync('rm', ['-f', copy, `${copy}.old`])
      expect(hashed).toMatch(/^\|1\|/)
      await works({ ...byFile, knownHosts: hashed })
    })

    it('is refused when nobody knows it, with the fingerprint to add', async () => {
      const error = await refusal({ ...byFile, knownHosts: ofOtherHost })
      expect(error).toMatchObject({ code: 'permission_denied', retryable: false })
      expect(String(error)).toContain(service.SFTP_HOST_FINGERPRINT)
      expect(String(error)).toMatch(/knownHosts has none for this host and port/)
    })

    it('is refused when its key is another than the known one, and gets no password', async () => {
      const blob = Buffer.from(lineOf('ssh-ed25519').split(' ')[2] ?? '', 'base64')
      blob[blob.length - 1] = (blob.at(-1) ?? 0) ^ 1
      const forged = `[${service.SFTP_HOST}]:${service.SFTP_PORT} ssh-ed25519 ${blob.toString('base64')}`
      const error = await refusal({ ...none, password: service.SFTP_PASSWORD, ...byFile, knownHosts: forged })
      expect(error).toMatchObject({ code: 'permission_denied' })
      expect(String(error)).toMatch(/knownHosts has another one/)
      expect(String(error)).toContain(service.SFTP_HOST_FINGERPRINT)
    })

    it('is refused when its key is revoked, even if the fingerprint fits', async () => {
      const error = await refusal({ knownHosts: lines.map((line) => `@revoked ${line}`).join('\n') })
      expect(error).toMatchObject({ code: 'permission_denied' })
      expect(String(error)).toMatch(/revoked/)
    })

    it('is refused when only a certificate authority vouches for it, which the error says', async () => {
      const error = await refusal({ ...byFile, knownHosts: lines.map((line) => `@cert-authority ${line}`).join('\n') })
      expect(error).toMatchObject({ code: 'permission_denied' })
      expect(String(error)).toMatch(/@cert-authority/)
    })

    describe('whose key was changed', () => {
      let sshd: Sshd
      beforeAll(async () => {
        sshd = await startSshd(service, { hostKey: 'rsa' })
      })
      afterAll(() => sshd.kill())

      it('is refused though it has no key of the known type', async () => {
        const known = lineOf('ssh-ed25519').replace(/^\S+/, `[127.0.0.1]:${sshd.port}`)
        const error = await refusal({ ...byFile, port: sshd.port, knownHosts: known })
        expect(error).toMatchObject({ code: 'permission_denied' })
        const blob = Buffer.from(lineOf('ssh-rsa').split(' ')[2] ?? '', 'base64')
        const offered = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=$/, '')}`
        expect(String(error)).toContain(offered)
      })
    })

    it('gets nothing but the algorithms that are configured', async () => {
      await works({ algorithms: { cipher: ['aes256-ctr'], hmac: ['hmac-sha2-256'] } })
      expect(await refusal({ algorithms: { cipher: ['3des-cbc'] } })).toMatchObject({
        code: 'unavailable',
        retryable: false,
      })
      expect(await refusal({ algorithms: { cipher: ['no-such'] } })).toMatchObject({ code: 'invalid_config' })
    })
  })
})
