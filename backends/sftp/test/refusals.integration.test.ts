import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { ByteStream } from 'mullion'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import type { SftpConfig } from '../src/config.ts'
import { classify } from '../src/errors.ts'
import type { SftpStore } from '../src/index.ts'
import { lockName } from '../src/partial.ts'
import {
  bytesAt,
  configFor,
  ENV,
  failureOf,
  handOver,
  makeDirectory,
  mountDisk,
  mountRefusal,
  namesIn,
  never,
  openStore,
  reading,
  removeDirectory,
  streamOf,
  writing,
} from './support.ts'

describeWithService(ENV, 'sftp.sh', 'sftp store with OpenSSH', (service) => {
  let root: string
  beforeAll(() => {
    root = makeDirectory(service)
  })
  afterAll(() => removeDirectory(root))

  async function opened(more: Partial<SftpConfig> = {}, directory = root): Promise<SftpStore> {
    const store = await openStore(configFor(service, directory, more))
    onTestFinished(() => store.close())
    return store
  }

  const at = (name: string) => ({
    user: service.SFTP_USER,
    host: service.SFTP_HOST,
    port: Number(service.SFTP_PORT),
    path: join(root, name),
  })

  const noDisk = mountRefusal(service)
  describe.skipIf(noDisk !== undefined)('on a disk that is full', () => {
    const disk = noDisk === undefined ? mountDisk(service, 8192) : undefined
    const path = disk?.path ?? ''
    afterAll(() => disk?.unmount())

    it('tells so before it takes a byte, when the size is known', async () => {
      const store = await opened({}, path)
      const untouched: ByteStream = {
        [Symbol.asyncIterator]() {
          throw new Error('the body was read')
        },
      }
      const error = await failureOf(store.write('a', untouched, writing({ size: 9 << 20 })))
      expect(error).toMatchObject({ code: 'storage_full' })
      expect(namesIn(path)).toEqual([])
    })

    it('tells so in the middle, when the size is not known, and leaves nothing', async () => {
      const store = await opened({}, path)
      async function* much(): ByteStream {
        for (let count = 0; count < 160; count++) yield new Uint8Array(1 << 16).fill(1)
      }
      expect(await failureOf(store.write('a', much(), writing()))).toMatchObject({ code: 'storage_full' })
      expect(namesIn(path)).toEqual([])
      const { at: place } = await store.write('a', streamOf('fits'), writing())
      expect(String(await bytesAt(store, place))).toBe('fits')
    })
  })

  it('tells permission_denied where it may not write, remove or read, and leaves nothing', async () => {
    const shut = makeDirectory(service)
    onTestFinished(() => removeDirectory(shut))
    writeFileSync(join(shut, 'secret'), 'x', { mode: 0o600 })
    chownSync(shut, 0, 0)
    chmodSync(shut, 0o755)
    const store = await opened({}, shut)
    const place = { ...at(''), path: join(shut, 'secret') }
    const calls = [
      store.write('a', streamOf('x'), writing()),
      store.remove(place, { signal: never }),
      store.read(place, reading),
    ]
    for (const error of await Promise.all(calls.map(failureOf))) expect(classify(error)).toBe('permission_denied')
    expect(namesIn(shut)).toEqual(['secret'])
  })

  it('says that its directory is missing, not that an object is', async () => {
    const store = await opened({}, join(root, 'nowhere'))
    const error = await failureOf(store.write('a', streamOf('x'), writing()))
    expect(error).toMatchObject({ code: 'unavailable', retryable: false })
    expect(String(error)).toMatch(/nowhere does not exist on the server; create it/)
  })

  it('touches neither links, nor directories, nor FIFOs, nor what lies below or beside its directory', async () => {
    const store = await opened()
    const outside = join(service.SFTP_ROOT, `outside-${process.pid}`)
    writeFileSync(outside, 'secret')
    onTestFinished(() => removeDirectory(outside))
    symlinkSync(outside, join(root, 'link'))
    mkdirSync(join(root, 'directory'))
    writeFileSync(join(root, 'directory', 'file'), 'x')
    execFileSync('mkfifo', [join(root, 'fifo')])
    execFileSync('chmod', ['666', join(root, 'fifo')])
    writeFileSync(join(root, '.hidden'), 'x')
    const paths = [
      'link',
      'directory',
      'fifo',
      'directory/file',
      '.hidden',
      `../outside-${process.pid}`,
      '',
      'a/../link',
    ]
    for (const place of paths.map((name) => ({ ...at(''), path: `${root}/${name}` }))) {
      const calls = [
        store.read(place, reading),
        store.stat(place, { signal: never }),
        store.remove(place, { signal: never }),
      ]
      for (const error of await Promise.all(calls.map(failureOf))) {
        expect(error, place.path).toMatchObject({ code: 'invalid_location' })
      }
    }
    for (const place of [
      { ...at('x'), host: 'other' },
      { ...at('x'), port: 23 },
      { ...at('x'), user: 'other' },
    ]) {
      expect(store.owns(place)).toBe(false)
      expect(await failureOf(store.read(place, reading))).toMatchObject({ code: 'invalid_location' })
    }
    expect(store.owns(at('x'))).toBe(true)
    expect(store.owns({ ...at('x'), user: undefined })).toBe(true)
  })

  it('gives files the permissions it was told, whatever the umask of the server', async () => {
    for (const permissions of ['666', '640', '600']) {
      const store = await opened({ permissions })
      const { at: place } = await store.write(`mode-${permissions}`, streamOf('x'), writing())
      expect((statSync(place.path).mode & 0o777).toString(8)).toBe(permissions)
    }
  })

  it('vouches by etag only for a file that cannot have been replaced within its second', async () => {
    const store = await opened()
    const { at: place } = await store.write('etag', streamOf('one'), writing())
    expect((await store.stat(place, { signal: never })).etag).toBeUndefined()
    const etag = async (seconds: number): Promise<string | undefined> => {
      utimesSync(place.path, seconds, seconds)
      const [{ etag: told }, read] = [await store.stat(place, { signal: never }), await store.read(place, reading)]
      expect(read.etag).toBe(told)
      for await (const _ of read.body);
      return told
    }
    const [first, again, later] = [await etag(1e9), await etag(1e9), await etag(1e9 + 1)]
    expect(first).toBeDefined()
    expect(again).toBe(first)
    expect(later).not.toBe(first)
    truncateSync(place.path, 2)
    expect(await etag(1e9)).not.toBe(first)
    expect(await etag(Date.now() / 1000 + 3600)).toBeUndefined()
  })

  it('tells a reader whose file becomes shorter that bytes are missing', async () => {
    const store = await opened()
    const path = join(root, 'shrinking')
    writeFileSync(path, new Uint8Array(20 << 20))
    const { body } = await store.read(at('shrinking'), reading)
    const reader = body[Symbol.asyncIterator]()
    await reader.next()
    truncateSync(path, 1 << 20)
    const rest = async (): Promise<void> => {
      while (!(await reader.next()).done);
    }
    expect(await failureOf(rest())).toMatchObject({ code: 'unavailable' })
  })

  it('refuses keys that are no plain file names', async () => {
    const store = await opened()
    for (const key of ['', '.', '..', '.x', 'a/b', 'a\0', 'k'.repeat(256), 'ü']) {
      expect(await failureOf(store.write(key, streamOf('x'), writing()))).toMatchObject({ code: 'invalid_argument' })
    }
  })

  it('lets one of two processes that write a key win, and never mixes their bytes', async () => {
    const [one, two] = [await opened(), await opened()]
    for (let round = 0; round < 10; round++) {
      const key = `race-${round}`
      const bytes = [new Uint8Array(300_000).fill(1), new Uint8Array(300_000).fill(2)] as const
      const outcomes = await Promise.allSettled([
        one.write(key, streamOf(bytes[0]), writing()),
        two.write(key, streamOf(bytes[1]), writing()),
      ])
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      const [loser] = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
      expect(loser).toMatchObject({ code: 'already_exists' })
      const winner = outcomes[0]?.status === 'fulfilled' ? 0 : 1
      expect(new Uint8Array(await bytesAt(one, at(key)))).toEqual(bytes[winner])
    }
    expect(namesIn(root).filter((name) => /\.(part|lock)$/.test(name))).toEqual([])
  })

  it('takes no notice of a lock where the server has hard links', async () => {
    const store = await opened()
    const path = join(root, lockName('locked'))
    writeFileSync(path, '')
    handOver(service, path)
    await store.write('locked', streamOf('x'), writing())
    removeDirectory(path)
  })
})
