import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { createStores, isMullionError } from 'mullion'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { rbd, type RbdConfig } from '../src/index.ts'
import { bytesAt, type Ceph, cephPool, codeOf, ENV, openStore, signal, streamOf, writing } from './ceph.ts'

describeWithService(ENV, 'ceph.sh', 'access of an rbd store', (settings) => {
  let ceph: Ceph
  beforeAll(async () => {
    ceph = await cephPool(settings)
  })
  afterAll(() => ceph.remove())

  /** What a first call fails with; opening must not fail. */
  async function failure(config: Partial<RbdConfig>): Promise<{ readonly code: string; readonly message: string }> {
    const { store } = await openStore({ ...ceph.config, connectTimeoutMs: 2000, ...config, staleUploadMs: false })
    onTestFinished(() => store.close())
    const error: unknown = await store.write('x', streamOf('x'), writing()).catch((thrown: unknown) => thrown)
    if (!isMullionError(error)) return { code: await codeOf(Promise.reject(error)), message: String(error) }
    return error
  }

  it('needs no configuration file when it is told where the monitors are, and a key', async () => {
    const key = (await ceph.ceph('auth', 'get-key', `client.${ceph.pool}`)).trim()
    const { store } = await openStore({ pool: ceph.pool, user: ceph.pool, monHost: `v2:${settings.RBD_MON_HOST}`, key })
    onTestFinished(() => store.close())
    const { at } = await store.write('bare', streamOf('bare'), writing())
    expect((await bytesAt(store, at)).toString()).toBe('bare')
    await store.remove(at, { signal })
  })

  it('says unauthenticated to a wrong key, without repeating it', async () => {
    const wrong = (await ceph.ceph('auth', 'get-key', 'client.admin')).trim()
    for (const [key, code] of [
      [wrong, 'unauthenticated'],
      ['nonsense', 'invalid_config'],
    ] as const) {
      const error = await failure({ keyring: undefined, key })
      expect(error.code).toBe(code)
      expect(inspect(error)).not.toContain(key)
    }
  })

  it('says which user has no key', async () => {
    const message = expect.stringContaining('client.nobody') as string
    expect(await failure({ user: 'nobody' })).toMatchObject({ code: 'unauthenticated', message })
    expect(await failure({ user: 'nobody', keyring: '/nonexistent/keyring' })).toMatchObject({
      code: 'invalid_config',
      message,
    })
  })

  it('says which pool there is not', async () => {
    expect(await failure({ pool: 'no-such-pool' })).toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('no-such-pool'),
    })
  })

  it('refuses another cluster than the configured one', async () => {
    const error = await failure({ fsid: randomUUID() })
    expect(error).toMatchObject({ code: 'invalid_config', message: expect.stringContaining('fsid') })
  })

  it('is denied what its user may not do, and leaves nothing', async () => {
    expect((await failure({ pool: settings.RBD_POOL })).code).toBe('permission_denied')
  })

  it('reads as a user who may only read, and is told when the image goes away meanwhile', async () => {
    const user = `${ceph.pool}-reader`
    await ceph.ceph(
      'auth',
      'get-or-create',
      `client.${user}`,
      'mon',
      'profile rbd',
      'osd',
      `profile rbd-read-only pool=${ceph.pool}`,
    )
    const key = (await ceph.ceph('auth', 'get-key', `client.${user}`)).trim()
    onTestFinished(async () => void (await ceph.ceph('auth', 'rm', `client.${user}`)))
    const writer = (await openStore(ceph.config)).store
    onTestFinished(() => writer.close())
    const reader = (await openStore({ ...ceph.config, keyring: undefined, key, user })).store
    onTestFinished(() => reader.close())
    const bytes = Buffer.alloc(5 << 20, 'read only')
    const { at } = await writer.write('readable', streamOf(bytes), writing())
    expect(await bytesAt(reader, at)).toEqual(bytes)
    expect(await codeOf(reader.remove(at, { signal }))).toBe('permission_denied')
    expect(await codeOf(reader.write('x', streamOf('x'), writing()))).toBe('permission_denied')

    const { body } = await reader.read(at, { offset: 0, length: undefined, signal })
    await writer.remove(at, { signal })
    const rest = (async () => {
      for await (const chunk of body) expect(chunk.byteLength).toBeGreaterThan(0)
    })()
    expect(await codeOf(rest)).toBe('not_found')
    expect(await ceph.held()).toEqual([])
  })

  it('says invalid_config when opened with a configuration file that is not there', async () => {
    const opening = openStore({ ...ceph.config, confFile: '/nonexistent/ceph.conf' })
    await expect(opening).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('/nonexistent/ceph.conf'),
    })
  })

  it('opens beside a cluster that cannot be reached, and gives up on it in time', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => void silent.close())
    const { port } = silent.address() as AddressInfo
    const dead = { ...ceph.config, confFile: undefined, monHost: `v2:127.0.0.1:${port}`, connectTimeoutMs: 1000 }
    const stores = await createStores({
      stores: { good: rbd(ceph.config), dead: rbd(dead) },
      default: 'good',
      retry: { attempts: 1 },
    })
    onTestFinished(() => stores.close())
    const { location } = await stores.add('works', Buffer.from('works'))
    const begun = performance.now()
    await expect(stores.add('never', Buffer.from('x'), { store: 'dead' })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('no monitor'),
    })
    expect(performance.now() - begun).toBeLessThan(8000)
    await stores.delete(location)
  })

  it('closes at once although it is connecting to a monitor that is silent', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => void silent.close())
    const { port } = silent.address() as AddressInfo
    const { store } = await openStore({
      ...ceph.config,
      confFile: undefined,
      monHost: `v2:127.0.0.1:${port}`,
      connectTimeoutMs: 60_000,
    })
    const writing_ = codeOf(store.write('x', streamOf('x'), writing()))
    const begun = performance.now()
    await store.close()
    expect(performance.now() - begun).toBeLessThan(4000)
    expect(await writing_).toBe('closed')
  })

  it('says storage_full when the quota of the pool is used up, and leaves nothing', { timeout: 90_000 }, async () => {
    const { store } = await openStore(ceph.config)
    onTestFinished(() => store.close())
    await ceph.ceph('osd', 'pool', 'set-quota', ceph.pool, 'max_bytes', String(40 << 20))
    onTestFinished(async () => void (await ceph.ceph('osd', 'pool', 'set-quota', ceph.pool, 'max_bytes', '0')))
    // the monitor learns of used room every few seconds only
    async function* slow(): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 400; count++) {
        yield Buffer.alloc(count < 6 ? 8 << 20 : 1 << 16, 1)
        await new Promise((resolve) => {
          setTimeout(resolve, 100)
        })
      }
    }
    async function* fast(): AsyncGenerator<Uint8Array> {
      for await (const chunk of slow()) yield Buffer.alloc(8 << 20, chunk[0])
    }
    expect(await codeOf(store.write('much', fast(), writing()))).toBe('storage_full')
    expect(await ceph.held()).toEqual([])
  })
})
