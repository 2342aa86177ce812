import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type ByteStream, createStores, type StoreMap, type Stores } from 'mullion'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { rbd } from '../src/index.ts'
import {
  bytesAt,
  type Ceph,
  cephPool,
  codeOf,
  ENV,
  openStore,
  type Settings,
  signal,
  streamOf,
  writing,
} from './ceph.ts'

const SCRIPT = fileURLToPath(new URL('../../../test/services/ceph.sh', import.meta.url))
const MIB = 1 << 20
const run = promisify(execFile)

/** A cluster of one's own, to be stopped and started. */
async function privateCluster(dir: string): Promise<{ readonly settings: Settings; end(): Promise<void> }> {
  const env = {
    ...process.env,
    MULLION_SERVICES_DIR: dir,
    MULLION_PORT_BASE: String(randomInt(30, 60) * 1000),
    MULLION_NO_INSTALL: '1',
    MULLION_CEPH_RGW: '0',
    MULLION_CEPH_MGR: '0',
    MULLION_CEPH_STORE: 'memstore',
  }
  const { stdout } = await run('bash', [SCRIPT, 'up'], { env, timeout: 100_000 })
  const printed = [...stdout.matchAll(/^export (\w+)='?(.*?)'?$/gm)].map(([, name, value]) => [name, value])
  return {
    settings: Object.fromEntries(printed) as Settings,
    end: async () => void (await run('bash', [SCRIPT, 'purge'], { env })),
  }
}

// The suite needs Ceph installed, and finds out the way the others do.
describeWithService(ENV, 'ceph.sh', 'an rbd store whose cluster stops', () => {
  let dir: string
  let cluster: Awaited<ReturnType<typeof privateCluster>>
  let ceph: Ceph
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mullion-rbd-'))
    cluster = await privateCluster(dir)
    ceph = await cephPool(cluster.settings)
  }, 120_000)
  afterAll(async () => {
    await ceph.remove()
    await cluster.end()
    await rm(dir, { recursive: true, force: true })
  })

  async function send(daemon: 'osd' | 'mon', how: NodeJS.Signals): Promise<void> {
    const [pid] = (await readFile(join(dir, `ceph/run/${daemon}.pid`), 'utf8')).split(' ')
    process.kill(Number(pid), how)
  }
  async function stop(daemon: 'osd' | 'mon'): Promise<void> {
    await send(daemon, 'SIGSTOP')
    onTestFinished(() => send(daemon, 'SIGCONT').catch(() => {}))
  }
  const quick = { operationTimeoutMs: 2000, connectTimeoutMs: 2000 }
  const bytes = Buffer.alloc(40 * MIB, 'outage!')

  async function openStores(): Promise<Stores> {
    const config = { ...ceph.config, ...quick }
    const specs: StoreMap = { ceph: rbd(config) }
    const stores = await createStores({ stores: specs, default: 'ceph', retry: { attempts: 1 } })
    onTestFinished(() => stores.close())
    return stores
  }

  it('fails an upload in time, and removes what it left when the cluster is back', { timeout: 120_000 }, async () => {
    const { store } = await openStore({ ...ceph.config, ...quick })
    onTestFinished(() => store.close())
    async function* interrupted(): ByteStream {
      for (let count = 0; count < 64; count++) {
        if (count === 32) await stop('osd')
        yield Buffer.alloc(MIB, 1)
      }
    }
    const begun = performance.now()
    expect(await codeOf(store.write('stopped', interrupted(), writing()))).toMatch(/^(timeout|unavailable)$/)
    expect(performance.now() - begun).toBeLessThan(40_000)
    await send('osd', 'SIGCONT')
    await vi.waitFor(async () => expect(await ceph.held()).toEqual([]), { timeout: 60_000, interval: 2000 })
    const { at } = await store.write('stopped', streamOf(bytes), writing())
    expect((await bytesAt(store, at)).equals(bytes)).toBe(true)
    await store.remove(at, { signal })
  })

  it('fails a download in time, and serves the next', { timeout: 120_000 }, async () => {
    const stores = await openStores()
    const { location } = await stores.add('read', bytes)
    const { body } = await stores.get(location)
    await body.next()
    await stop('osd')
    const rest = (async () => {
      for await (const chunk of body) expect(chunk.byteLength).toBeGreaterThan(0)
    })()
    expect(await codeOf(rest)).toMatch(/^(timeout|unavailable)$/)
    expect(await codeOf(stores.getSizeFromBackend(location))).toMatch(/^(timeout|unavailable)$/)
    await send('osd', 'SIGCONT')
    await vi.waitFor(async () => expect(await stores.getSizeFromBackend(location)).toBe(bytes.byteLength), {
      timeout: 60_000,
      interval: 1000,
    })
    const again = await stores.get(location)
    const seen: Uint8Array[] = []
    for await (const chunk of again.body) seen.push(chunk)
    expect(Buffer.concat(seen).equals(bytes)).toBe(true)
  })

  it('lets go of a reader at once who aborts while the cluster is silent', { timeout: 60_000 }, async () => {
    const stores = await openStores()
    const { location } = await stores.add('aborted', bytes)
    const controller = new AbortController()
    const { body } = await stores.get(location, { signal: controller.signal })
    await body.next()
    await stop('osd')
    setTimeout(() => controller.abort(new Error('enough')), 500)
    const begun = performance.now()
    await expect(
      (async () => {
        for await (const chunk of body) expect(chunk.byteLength).toBeGreaterThan(0)
      })(),
    ).rejects.toThrow('enough')
    expect(performance.now() - begun).toBeLessThan(2000)
    await send('osd', 'SIGCONT')
  })

  it('connects once a monitor is back that was away', { timeout: 60_000 }, async () => {
    await stop('mon')
    const { store } = await openStore({ ...ceph.config, ...quick })
    onTestFinished(() => store.close())
    expect(await codeOf(store.write('later', streamOf('x'), writing()))).toBe('unavailable')
    await send('mon', 'SIGCONT')
    const { at } = await store.write('later', streamOf('x'), writing())
    expect((await bytesAt(store, at)).toString()).toBe('x')
  })
})
