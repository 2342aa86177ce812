import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ByteStream } from 'mullion'
import { createStores } from 'mullion'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { rbd } from '../src/index.ts'
import { LibrbdProcess } from '../src/process.ts'
import { bytesAt, type Ceph, cephPool, codeOf, ENV, openStore, signal, streamOf, writing } from './ceph.ts'

const WRITER = fileURLToPath(new URL('fixtures/writer.ts', import.meta.url))
const MIB = 1 << 20

/** Process ids of the processes of librbd that `parent` started. */
function childrenOf(parent: number | undefined): readonly number[] {
  try {
    const found = execFileSync('pgrep', ['-P', String(parent), '-f', 'rbd/src/child']).toString()
    return found.trim().split('\n').map(Number)
  } catch {
    return [] // what pgrep says by its status
  }
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describeWithService(ENV, 'ceph.sh', 'rbd store whose process of librbd', (settings) => {
  let ceph: Ceph
  beforeAll(async () => {
    ceph = await cephPool(settings)
  })
  afterAll(() => ceph.remove())

  /** The cluster takes a killed client for alive for half a minute; a test need not wait for that. */
  async function forget(image: string): Promise<void> {
    const status = JSON.parse(await ceph.rbd('status', '--format', 'json', `${ceph.pool}/${image}`)) as {
      readonly watchers: readonly { readonly address: string }[]
    }
    for (const { address } of status.watchers) await ceph.ceph('osd', 'blocklist', 'add', address, '60')
  }

  it.each(['SIGKILL', 'SIGSEGV'] as const)(
    'ends with %s in the middle of an upload fails it, goes on with another, and removes what is left',
    { timeout: 90_000 },
    async (how) => {
      const before = childrenOf(process.pid)
      const { store, log } = await openStore(ceph.config)
      onTestFinished(() => store.close())
      const [child = 0] = childrenOf(process.pid).filter((pid) => !before.includes(pid))
      async function* killing(): ByteStream {
        for (let count = 0; count < 20; count++) yield Buffer.alloc(MIB, 7)
        process.kill(child, how)
        for (let count = 0; count < 200; count++) {
          await new Promise((resolve) => {
            setTimeout(resolve, 20)
          })
          yield Buffer.alloc(MIB, 7)
        }
      }
      expect(await codeOf(store.write('killed', killing(), writing()))).toBe('unavailable')
      expect(log.map(({ message }) => message)).toEqual([
        'the process of librbd ended; the next call starts another',
        'could not remove an image that a failed upload left; tries again',
      ])
      expect(log[0]?.fields['reason']).toContain(how)

      const { at } = await store.write('next', streamOf('still here'), writing())
      expect((await bytesAt(store, at)).toString()).toBe('still here')
      await store.remove(at, { signal })

      const [draft = ''] = await ceph.held()
      expect(draft).toMatch(/^\.killed\..*\.part$/)
      await forget(draft)
      await vi.waitFor(async () => expect(await ceph.held()).toEqual([]), { timeout: 45_000, interval: 1000 })
    },
  )

  it('is blocklisted by the cluster fails what it does, and is replaced', { timeout: 90_000 }, async () => {
    const { store } = await openStore(ceph.config)
    onTestFinished(() => store.close())
    async function* fenced(): ByteStream {
      yield Buffer.alloc(8 * MIB, 1)
      await vi.waitFor(async () => expect(await ceph.held()).toHaveLength(1))
      const [draft = ''] = await ceph.held()
      await forget(draft)
      for (let count = 0; count < 16; count++) yield Buffer.alloc(8 * MIB, 1)
    }
    expect(await codeOf(store.write('fenced', fenced(), writing()))).toBe('unavailable')
    const { at } = await store.write('after', streamOf('the fence'), writing())
    expect((await bytesAt(store, at)).toString()).toBe('the fence')
    await store.remove(at, { signal })
    await vi.waitFor(async () => expect(await ceph.held()).toEqual([]), { timeout: 45_000, interval: 1000 })
  })

  it('is killed under a reader: the core reads on through another', async () => {
    const stores = await createStores({ stores: { ceph: rbd(ceph.config) }, default: 'ceph' })
    onTestFinished(() => stores.close())
    const bytes = Buffer.alloc(40 * MIB, 'abcdefghijk')
    const { location } = await stores.add('read', bytes)
    const { body } = await stores.get(location)
    const seen: Uint8Array[] = []
    for await (const chunk of body) {
      if (seen.push(chunk) === 5) for (const pid of childrenOf(process.pid)) process.kill(pid, 'SIGKILL')
    }
    expect(Buffer.concat(seen).equals(bytes)).toBe(true)
  })

  it('loses its service to SIGKILL removes what that was uploading, and ends', { timeout: 60_000 }, async () => {
    const held = await ceph.held()
    const service: ChildProcess = spawn(
      process.execPath,
      ['--conditions=@mullion/source', WRITER, JSON.stringify(ceph.config), 'endless'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    onTestFinished(() => void service.kill('SIGKILL'))
    if (service.stdout) await once(service.stdout, 'data')
    const [child = 0] = childrenOf(service.pid)
    expect(runs(child)).toBe(true)
    expect(await ceph.held()).toEqual([expect.stringMatching(/^\.endless\..*\.part$/), ...held])

    service.kill('SIGKILL')
    await once(service, 'exit')
    await vi.waitFor(() => expect(runs(child)).toBe(false), { timeout: 15_000 })
    expect(await ceph.held()).toEqual(held)
  })

  it('loses its service removes the other uploads when one cannot be removed', { timeout: 60_000 }, async () => {
    const held = await ceph.held()
    const service: ChildProcess = spawn(
      process.execPath,
      ['--conditions=@mullion/source', WRITER, JSON.stringify(ceph.config), 'first', 'second'],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    onTestFinished(() => void service.kill('SIGKILL'))
    const uploading = async (): Promise<readonly string[]> =>
      (await ceph.held()).filter((name) => /^\.(?:first|second)\./.test(name))
    await vi.waitFor(async () => expect(await uploading()).toHaveLength(2), { timeout: 15_000 })
    const [first = ''] = await uploading()
    await ceph.rbd('rename', `${ceph.pool}/${first}`, `${ceph.pool}/moved`) // by somebody who does not say so
    service.kill('SIGKILL')
    await vi.waitFor(async () => expect(await uploading()).toEqual([]), { timeout: 20_000, interval: 500 })
    await vi.waitFor(() => ceph.rbd('rm', '--no-progress', `${ceph.pool}/moved`), { timeout: 15_000, interval: 1000 })
    expect(await ceph.held()).toEqual(held)
  })

  it('prints the key that it cannot read does not bring it into the log', async () => {
    const before = childrenOf(process.pid)
    const key = 'SECRETSECRET!!notbase64'
    let crashed: (reason: string) => void = () => {}
    const crash = new Promise<string>((resolve) => {
      crashed = resolve
    })
    const librbd = new LibrbdProcess({ threads: 4, operationTimeoutMs: 5000, secret: key, onCrash: crashed })
    onTestFinished(() => librbd.end())
    const conf = { user: 'nobody', confFile: false, settings: { mon_host: settings.RBD_MON_HOST, key } } as const
    await librbd.call('load', conf)
    await expect(librbd.call('connect', { pool: ceph.pool })).rejects.toMatchObject({ code: 'EINVAL' })
    for (const pid of childrenOf(process.pid)) if (!before.includes(pid)) process.kill(pid, 'SIGKILL')
    const reason = await crash
    expect(reason).toContain('<key>')
    expect(reason).not.toContain(key)
  })

  it('is idle keeps nobody from ending, and ends with its service', async () => {
    const code = `
      const { openStore, streamOf, writing, signal } = await import(${JSON.stringify(new URL('ceph.ts', import.meta.url).href)})
      const { store } = await openStore(JSON.parse(process.argv[1]))
      const { at } = await store.write('idle', streamOf('x'), writing())
      await store.remove(at, { signal })
      process.stdout.write('done')`
    const args = ['--conditions=@mullion/source', '--input-type=module', '-e', code, JSON.stringify(ceph.config)]
    const service = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void service.kill('SIGKILL'))
    await once(service.stdout, 'data')
    const children = childrenOf(service.pid)
    const [status] = (await once(service, 'exit')) as [number]
    expect(status).toBe(0)
    await vi.waitFor(() => expect(children.filter(runs)).toEqual([]), { timeout: 5000 })
  })
})
