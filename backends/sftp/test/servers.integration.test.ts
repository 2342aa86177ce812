import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Origin } from 'mullion'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { faultProxy } from '../../../test/services/fault-proxy.mjs'
import { describeWithService } from '../../../test/services/require.ts'
import type { SftpConfig } from '../src/config.ts'
import type { SftpLocation, SftpStore } from '../src/index.ts'
import { lockName } from '../src/partial.ts'
import { answers, freePort, type Sshd, startSshd } from './sshd.ts'
import {
  bytesAt,
  configFor,
  ENV,
  failureOf,
  handOver,
  makeDirectory,
  namesIn,
  never,
  openStore,
  removeDirectory,
  streamOf,
  writing,
} from './support.ts'

const bytes: Uint8Array = new Uint8Array(3_000_000).map((_, index) => index % 251)

/** What a store promises whatever the server offers. */
function promises(open: () => Promise<SftpStore>, names: () => readonly string[]): void {
  it('writes, reads ranges, and removes', async () => {
    const store = await open()
    const { at } = await store.write('object', streamOf(bytes), writing({ size: bytes.length }))
    expect((await bytesAt(store, at)).equals(bytes)).toBe(true)
    const range = await bytesAt(store, at, { offset: 1_000_001, length: 600_000 })
    expect(range.equals(bytes.subarray(1_000_001, 1_600_001))).toBe(true)
    await store.remove(at, { signal: never })
    expect(names()).toEqual([])
  })

  it('never replaces what is there', async () => {
    const store = await open()
    const { at } = await store.write('taken', streamOf('first'), writing())
    expect(await failureOf(store.write('taken', streamOf('second'), writing()))).toMatchObject({
      code: 'already_exists',
    })
    expect(String(await bytesAt(store, at))).toBe('first')
    await store.remove(at, { signal: never })
    expect(names()).toEqual([])
  })
}

/** Not of rclone, whose cache of files is none the better for renames at the same time. */
function exclusive(open: () => Promise<SftpStore>, names: () => readonly string[]): void {
  it('lets one of two processes that write a key win', async () => {
    const [one, two] = [await open(), await open()]
    for (let round = 0; round < 5; round++) {
      const outcomes = await Promise.allSettled([
        one.write('race', streamOf(bytes), writing()),
        two.write('race', streamOf(bytes.subarray(1)), writing()),
      ])
      const [place] = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.at] : []))
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      const winner = outcomes[0]?.status === 'fulfilled' ? bytes : bytes.subarray(1)
      expect((await bytesAt(one, place as SftpLocation)).equals(winner)).toBe(true)
      await one.remove(place as SftpLocation, { signal: never })
    }
    expect(names()).toEqual([])
  })
}

describeWithService(ENV, 'sftp.sh', 'an sftp store', (service) => {
  let root: string
  beforeAll(() => {
    root = makeDirectory(service)
  })
  afterAll(() => removeDirectory(root))
  const names = (): string[] => namesIn(root)

  async function opened(config: SftpConfig): Promise<SftpStore> {
    const store = await openStore(config)
    onTestFinished(() => store.close())
    return store
  }

  describe('with an OpenSSH that offers no extensions', () => {
    let sshd: Sshd
    beforeAll(async () => {
      sshd = await startSshd(service, { subsystem: '-P hardlink,fsync,statvfs,fstatvfs,copy-data,posix-rename,limits' })
    })
    afterAll(() => sshd.kill())
    const open = (): Promise<SftpStore> => opened(configFor(service, root, { port: sshd.port, staleUploadMs: false }))

    promises(open, names)
    exclusive(open, names)

    it('writes no key that somebody else is publishing', async () => {
      const store = await open()
      const lock = join(root, lockName('locked'))
      writeFileSync(lock, '')
      handOver(service, lock)
      expect(await failureOf(store.write('locked', streamOf('x'), writing()))).toMatchObject({ code: 'already_exists' })
      expect(names()).toEqual([lockName('locked')])
      removeDirectory(lock)
      const { at } = await store.write('locked', streamOf('x'), writing())
      await store.remove(at, { signal: never })
      expect(names()).toEqual([])
    })

    it('leaves no lock when the answer to its creation is lost', async () => {
      const proxy = await faultProxy({ target: sshd.port })
      onTestFinished(() => proxy.close())
      const store = await opened(configFor(service, root, { port: proxy.port, staleUploadMs: false }))
      const announce = async (): Promise<void> => proxy.set({ latency: 2000 })
      const lost = failureOf(store.write('unanswered', streamOf('x'), writing({ announce })))
      await vi.waitFor(() => expect(names()).toContain(lockName('unanswered')), { interval: 5 })
      proxy.set({})
      proxy.cut()
      expect(await lost).toMatchObject({ code: 'unavailable' })
      expect(names()).toEqual([])
      const { at } = await store.write('unanswered', streamOf('x'), writing())
      await store.remove(at, { signal: never })
    })

    it('leaves the lock of another when the answer to its own request is lost', async () => {
      const proxy = await faultProxy({ target: sshd.port })
      onTestFinished(() => proxy.close())
      const store = await opened(configFor(service, root, { port: proxy.port, staleUploadMs: false }))
      const lock = join(root, lockName('other'))
      const announce = async (): Promise<void> => {
        writeFileSync(lock, 'another')
        handOver(service, lock)
        proxy.set({ latency: 2000 })
        const { up } = proxy.stats
        void vi
          .waitFor(() => expect(proxy.stats.up).toBeGreaterThan(up), { interval: 5 })
          .then(() => {
            proxy.set({})
            proxy.cut()
          })
      }
      expect(await failureOf(store.write('other', streamOf('x'), writing({ announce })))).toMatchObject({
        code: 'unavailable',
      })
      expect(names()).toEqual([lockName('other')])
      removeDirectory(lock)
    })

    it('leaves copies to whoever asks for them', async () => {
      const store = await open()
      const { at } = await store.write('origin', streamOf('x'), writing())
      const options = { ...writing({ size: 1 }), etag: undefined }
      expect(await store.copyFrom('copy', { store, at }, options)).toBeUndefined()
      await store.remove(at, { signal: never })
    })
  })

  describe('with the SFTP server of rclone, whose rename replaces', () => {
    let server: ChildProcess
    let directory: string
    let config: SftpConfig
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'mullion-rclone-'))
      const port = await freePort()
      const login = [
        '--user',
        'images',
        '--pass',
        'secret',
        '--key',
        service.SFTP_KNOWN_HOSTS.replace(/known_hosts$/, 'host_ed25519'),
      ]
      const cache = ['--vfs-cache-mode', 'writes', '--cache-dir', `${directory}.cache`, '--vfs-write-back', '0']
      server = spawn('rclone', ['serve', 'sftp', directory, '--addr', `127.0.0.1:${port}`, ...login, ...cache], {
        stdio: 'ignore',
      })
      await answers(port)
      config = {
        host: '127.0.0.1',
        port,
        user: 'images',
        password: 'secret',
        hostFingerprint: service.SFTP_HOST_FINGERPRINT,
        root: '/',
        staleUploadMs: false,
      }
    })
    afterAll(async () => {
      server.kill()
      await once(server, 'exit')
      rmSync(directory, { recursive: true })
      rmSync(`${directory}.cache`, { recursive: true, force: true })
    })

    promises(
      () => opened(config),
      () => namesIn(directory),
    )
  })

  describe('that copies by itself', () => {
    const options = (size: number, etag?: string) => ({ ...writing({ size }), etag })

    it('copies within its server, into other directories of it too, as often as asked', async () => {
      const other = makeDirectory(service)
      onTestFinished(() => removeDirectory(other))
      const store = await opened(configFor(service, root))
      const target = await opened(configFor(service, other))
      const { at } = await store.write('origin', streamOf(bytes), writing())
      const origin: Origin = { store, at }
      const copy = await target.copyFrom('copy', origin, options(bytes.length))
      expect(copy).toMatchObject({ size: bytes.length, at: { path: join(other, 'copy') } })
      expect((await bytesAt(target, copy?.at as SftpLocation)).equals(bytes)).toBe(true)
      expect(await failureOf(target.copyFrom('copy', origin, options(bytes.length)))).toMatchObject({
        code: 'already_exists',
      })
      expect(namesIn(other)).toEqual(['copy'])
      await store.remove(at, { signal: never })
    })

    it('copies nothing that is not what its size and etag say', async () => {
      const store = await opened(configFor(service, root))
      const { at } = await store.write('origin', streamOf('bytes'), writing())
      expect(await failureOf(store.copyFrom('copy', { store, at }, options(4)))).toMatchObject({ code: 'conflict' })
      utimesSync(at.path, 1e9, 1e9)
      const { etag } = await store.stat(at, { signal: never })
      expect(await failureOf(store.copyFrom('copy', { store, at }, options(5, 'other')))).toMatchObject({
        code: 'conflict',
      })
      const copy = await store.copyFrom('copy', { store, at }, options(5, etag))
      await store.remove(copy?.at as SftpLocation, { signal: never })
      await store.remove(at, { signal: never })
      expect(names()).toEqual([])
    })

    it('copies nothing from another server, another login or another kind of store', async () => {
      const sshd = await startSshd(service)
      onTestFinished(() => sshd.kill())
      const store = await opened(configFor(service, root))
      const other = await opened(configFor(service, root, { port: sshd.port }))
      const { at } = await store.write('origin', streamOf('x'), writing())
      expect(await other.copyFrom('copy', { store, at }, options(1))).toBeUndefined()
      expect(await store.copyFrom('copy', { store: {}, at: '/etc/passwd' }, options(1))).toBeUndefined()
      await store.remove(at, { signal: never })
      expect(names()).toEqual([])
    })
  })
})
