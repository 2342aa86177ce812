import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import type { SftpStore } from '../src/index.ts'
import { location } from '../src/location.ts'
import { bytesAt, configFor, ENV, makeDirectory, openStore, removeDirectory, streamOf, writing } from './support.ts'

const run = promisify(execFile)

describeWithService(ENV, 'sftp.sh', 'objects of an sftp store', (service) => {
  let root: string
  let local: string
  beforeAll(() => {
    root = makeDirectory(service)
    local = mkdtempSync(join(tmpdir(), 'mullion-sftp-'))
  })
  afterAll(() => {
    removeDirectory(root)
    rmSync(local, { recursive: true })
  })

  async function opened(): Promise<SftpStore> {
    const store = await openStore(configFor(service, root))
    onTestFinished(() => store.close())
    return store
  }

  const at = (name: string) => ({
    user: service.SFTP_USER,
    host: service.SFTP_HOST,
    port: Number(service.SFTP_PORT),
    path: join(root, name),
  })

  const hosts = ['-o', `UserKnownHostsFile=${service.SFTP_KNOWN_HOSTS}`, '-o', 'StrictHostKeyChecking=yes']
  const login = ['-F', 'none', '-i', service.SFTP_PRIVATE_KEY, ...hosts]

  /** Commands of sftp(1), by the known hosts and the key that the store uses. */
  async function sftp(...commands: readonly string[]): Promise<void> {
    const batch = join(local, 'batch')
    writeFileSync(batch, `${commands.join('\n')}\n`)
    await run('sftp', [...login, '-b', batch, '-P', service.SFTP_PORT, `${service.SFTP_USER}@${service.SFTP_HOST}`])
  }

  /** rclone(1) with the same; `:sftp:` is the server. */
  async function rclone(...args: readonly string[]): Promise<string> {
    const server = [
      '--sftp-host',
      service.SFTP_HOST,
      '--sftp-port',
      service.SFTP_PORT,
      '--sftp-user',
      service.SFTP_USER,
    ]
    const trust = ['--sftp-key-file', service.SFTP_PRIVATE_KEY, '--sftp-known-hosts-file', service.SFTP_KNOWN_HOSTS]
    const plain = ['--config', '/dev/null', '--sftp-disable-hashcheck']
    const { stdout } = await run('rclone', [...plain, ...server, ...trust, ...args])
    return stdout
  }

  const SIZES = [0, 1, 255 * 1024, 255 * 1024 + 1, 5_000_000]

  it('are read by sftp, byte for byte', async () => {
    const store = await opened()
    for (const size of SIZES) {
      const bytes = randomBytes(size)
      await store.write(`to-sftp-${size}`, streamOf(bytes), writing())
      await sftp(`get ${root}/to-sftp-${size} ${local}/got`)
      expect(readFileSync(join(local, 'got')).equals(bytes)).toBe(true)
    }
  })

  it('may be put there by sftp', async () => {
    const store = await opened()
    for (const size of SIZES) {
      const bytes = randomBytes(size)
      writeFileSync(join(local, 'put'), bytes)
      await sftp(`put ${local}/put ${root}/from-sftp-${size}`)
      expect((await bytesAt(store, at(`from-sftp-${size}`))).equals(bytes)).toBe(true)
    }
  })

  it('are read and listed by rclone, byte for byte', async () => {
    const store = await opened()
    const bytes = randomBytes(5_000_000)
    await store.write('to-rclone', streamOf(bytes), writing())
    await rclone('copyto', `:sftp:${root}/to-rclone`, join(local, 'cloned'))
    expect(readFileSync(join(local, 'cloned')).equals(bytes)).toBe(true)
    expect(await rclone('lsf', `:sftp:${root}`)).toMatch(/^to-rclone$/m)
  })

  it('may be put there by rclone', async () => {
    const store = await opened()
    const bytes = randomBytes(5_000_000)
    writeFileSync(join(local, 'clone'), bytes)
    await rclone('copyto', join(local, 'clone'), `:sftp:${root}/from-rclone`)
    expect((await bytesAt(store, at('from-rclone'))).equals(bytes)).toBe(true)
  })

  it('are found by the URI that sftp takes', async () => {
    const store = await opened()
    const bytes = randomBytes(1000)
    const { at: place } = await store.write('by-uri', streamOf(bytes), writing())
    const got = join(local, 'by-uri')
    // sftp(1) takes the path of a URI from the home directory, which is / for the login of the service
    await run('sftp', [...login, location.format(place), got])
    expect(readFileSync(got).equals(bytes)).toBe(true)
  })
})
