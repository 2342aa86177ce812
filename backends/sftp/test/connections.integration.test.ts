import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { ByteStream } from 'mullion'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { type FaultProxy, faultProxy } from '../../../test/services/fault-proxy.mjs'
import { describeWithService } from '../../../test/services/require.ts'
import type { SftpConfig } from '../src/config.ts'
import type { SftpStore } from '../src/index.ts'
import { startSshd } from './sshd.ts'
import {
  bytesAt,
  configFor,
  ENV,
  failureOf,
  makeDirectory,
  namesIn,
  never,
  openFilesIn,
  openStore,
  reading,
  removeDirectory,
  socketsTo,
  streamOf,
  writing,
} from './support.ts'

describeWithService(ENV, 'sftp.sh', 'connections of an sftp store', (service) => {
  let root: string
  let proxy: FaultProxy
  beforeAll(async () => {
    root = makeDirectory(service)
    proxy = await faultProxy({ target: Number(service.SFTP_PORT) })
  })
  afterAll(async () => {
    removeDirectory(root)
    await proxy.close()
  })

  async function opened(more: Partial<SftpConfig> = {}): Promise<SftpStore> {
    proxy.set({})
    const store = await openStore(configFor(service, root, { port: proxy.port, staleUploadMs: false, ...more }))
    onTestFinished(() => store.close())
    return store
  }

  const at = (store: string, port = proxy.port) => ({
    user: service.SFTP_USER,
    host: service.SFTP_HOST,
    port,
    path: join(root, store),
  })

  /** How many connections `use` makes. */
  async function connectionsOf(use: () => Promise<unknown>): Promise<number> {
    const before = proxy.stats.connections
    await use()
    return proxy.stats.connections - before
  }

  it('are made when there is something to do, and used again', async () => {
    const used = await connectionsOf(async () => {
      const store = await opened()
      for (let count = 0; count < 5; count++) await store.write(`again-${count}`, streamOf('x'), writing())
    })
    expect(used).toBe(1)
    expect(await connectionsOf(() => opened())).toBe(0)
  })

  it('are as many as configured at most, which operations share', async () => {
    const used = await connectionsOf(async () => {
      const store = await opened({ connections: 2 })
      const bytes = new Uint8Array(1 << 20).fill(7)
      const keys = Array.from({ length: 12 }, (_, index) => `shared-${index}`)
      const written = await Promise.all(keys.map((key) => store.write(key, streamOf(bytes), writing())))
      const read = await Promise.all(written.map((each) => bytesAt(store, each.at)))
      for (const each of read) expect(each.equals(bytes)).toBe(true)
    })
    expect(used).toBe(2)
  })

  it('serve others while readers that took one chunk do not go on', async () => {
    const store = await opened({ connections: 1 })
    const size = 12 << 20
    await store.write('slow', streamOf(new Uint8Array(size).fill(1)), writing())
    const slow = await Promise.all(Array.from({ length: 5 }, () => store.read(at('slow'), reading)))
    const readers = slow.map(({ body }) => body[Symbol.asyncIterator]())
    for (const reader of readers) await reader.next()
    await store.write('fast', streamOf(new Uint8Array(size).fill(2)), writing())
    expect((await bytesAt(store, at('fast'))).length).toBe(size)
    for (const reader of readers) await reader.return?.()
    await vi.waitFor(() => expect(openFilesIn(root)).toBe(0))
  })

  it('are closed when they were idle for long enough', async () => {
    const store = await opened({ idleConnectionMs: 20 })
    await store.write('idle', streamOf('x'), writing())
    await vi.waitFor(() => expect(socketsTo(proxy.port)).toBe(0), { timeout: 4000 })
    expect(await connectionsOf(() => store.stat(at('idle'), { signal: never }))).toBe(1)
  })

  it('that were cut while nobody used them are replaced without anybody noticing', async () => {
    const store = await opened()
    await store.write('replaced', streamOf('x'), writing())
    for (const how of ['reset', 'fin'] as const) {
      proxy.cut(how)
      expect(await store.stat(at('replaced'), { signal: never })).toMatchObject({ size: 1 })
    }
    proxy.cut('reset')
    await store.write('unrepeatable', streamOf('x'), writing())
  })

  it('leave nothing open after close, which ends what is under way with closed', async () => {
    const store = await openStore(configFor(service, root, { staleUploadMs: false }))
    const direct = Number(service.SFTP_PORT)
    await store.write('closing', streamOf(new Uint8Array(9 << 20)), writing())
    expect(socketsTo(direct)).toBe(1)
    const { body } = await store.read(at('closing', direct), reading)
    async function* endless(): ByteStream {
      for (;;) yield new Uint8Array(1 << 16)
    }
    const writes = failureOf(store.write('never', endless(), writing()))
    const reader = body[Symbol.asyncIterator]()
    await reader.next()
    await store.close()
    expect(await writes).toMatchObject({ code: 'closed' })
    const drained = async (): Promise<void> => {
      while (!(await reader.next()).done);
    }
    expect(await failureOf(drained())).toMatchObject({ code: 'closed' })
    expect(await failureOf(store.stat(at('closing', direct), { signal: never }))).toMatchObject({ code: 'closed' })
    expect(socketsTo(direct)).toBe(0)
  })

  it('that cannot be made end with a reason within their limits, and leave no socket', async () => {
    const silent = createServer((socket) => void accepted.push(socket)).listen(0, '127.0.0.1')
    const accepted: Socket[] = []
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    onTestFinished(() => {
      for (const socket of accepted) socket.destroy()
      silent.close()
    })
    const mute = await opened({ port, handshakeTimeoutMs: 50 })
    expect(await failureOf(mute.stat(at('x', port), { signal: never }))).toMatchObject({
      code: 'timeout',
      details: { limitMs: 50 },
    })
    const patient = await opened({ port })
    const abort = new AbortController()
    const waiting = failureOf(patient.stat(at('x', port), { signal: abort.signal }))
    abort.abort(new Error('enough'))
    expect(await waiting).toMatchObject({ message: 'enough' })
    const nobody = await opened({ port: 1 })
    expect(await failureOf(nobody.stat(at('x', 1), { signal: never }))).toMatchObject({ code: 'unavailable' })
    const nowhere = await opened({ host: 'no-such-host.invalid' })
    const elsewhere = { ...at('x'), host: 'no-such-host.invalid' }
    expect(await failureOf(nowhere.stat(elsewhere, { signal: never }))).toMatchObject({ code: 'unavailable' })
  })

  it('to something that is no SSH server end with unavailable', async () => {
    const web = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
      0,
      '127.0.0.1',
    )
    await once(web, 'listening')
    onTestFinished(() => void web.close())
    const { port } = web.address() as { port: number }
    const store = await opened({ port })
    expect(await failureOf(store.stat(at('x', port), { signal: never }))).toMatchObject({ code: 'unavailable' })
  })

  it('whose server falls silent are given up, and what waited gets timeout', async () => {
    const store = await opened({ responseTimeoutMs: 1000 })
    await store.write('silent', streamOf(new Uint8Array(9 << 20)), writing())
    const { body } = await store.read(at('silent'), reading)
    const reader = body[Symbol.asyncIterator]()
    await reader.next()
    proxy.cut('stall')
    const drained = async (): Promise<void> => {
      while (!(await reader.next()).done);
    }
    expect(await failureOf(drained())).toMatchObject({ code: 'timeout', retryable: true, details: { limitMs: 1000 } })
    expect(await store.stat(at('silent'), { signal: never })).toMatchObject({ size: 9 << 20 })
  })

  it('whose peer is dead are noticed while nobody asks for anything', async () => {
    const store = await opened({ keepaliveIntervalMs: 20 })
    await store.write('dead', streamOf('x'), writing())
    proxy.cut('stall')
    // its own socket goes; that of the proxy to the server may stay
    await vi.waitFor(async () => {
      const used = await connectionsOf(() =>
        store.stat(at('dead'), { signal: AbortSignal.timeout(50) }).catch(() => {}),
      )
      expect(used).toBe(1)
    })
  })

  it('of a server that is killed in the middle end what is under way, and nothing else', async () => {
    const sshd = await startSshd(service)
    const store = await opened({ port: sshd.port, connections: 2 })
    const size = 9 << 20
    await store.write('killed', streamOf(new Uint8Array(size)), writing())
    const { body } = await store.read(at('killed', sshd.port), reading)
    const reader = body[Symbol.asyncIterator]()
    await reader.next()
    async function* killing(): ByteStream {
      for (let count = 0; count < 40; count++) yield new Uint8Array(1 << 16)
      await sshd.kill()
      for (;;) yield new Uint8Array(1 << 16)
    }
    expect(await failureOf(store.write('cut', killing(), writing()))).toMatchObject({ code: 'unavailable' })
    const drained = async (): Promise<void> => {
      while (!(await reader.next()).done);
    }
    expect(await failureOf(drained())).toMatchObject({ code: 'unavailable' })
    expect(namesIn(root).filter((name) => name.startsWith('.cut.'))).toHaveLength(1)
    await store.close()
  })

  it('that come back remove what an upload left on those that were lost', async () => {
    const store = await opened()
    async function* vanishing(): ByteStream {
      yield new Uint8Array(1 << 20)
      proxy.set({ refuse: true })
      proxy.cut()
      yield new Uint8Array(1 << 20)
    }
    expect(await failureOf(store.write('lost', vanishing(), writing()))).toMatchObject({ code: 'unavailable' })
    expect(namesIn(root).filter((name) => name.startsWith('.lost.'))).toHaveLength(1)
    proxy.set({})
    await store.write('lost', streamOf('back'), writing())
    expect(namesIn(root).filter((name) => name.includes('lost'))).toEqual(['lost'])
    expect(statSync(join(root, 'lost')).size).toBe(4)
  })

  it('do not hold up close while they catch up with a server that has fallen silent', async () => {
    const ready = await opened()
    writeFileSync(join(root, 'measured'), 'x')
    const before = proxy.stats.down
    await ready.stat(at('measured'), { signal: never })
    const firstAnswer = proxy.stats.down - before
    const store = await opened()
    let cut = Infinity
    async function* vanishing(): ByteStream {
      yield new Uint8Array(1 << 20)
      proxy.set({ cutDown: firstAnswer - 40, how: 'stall' })
      proxy.cut()
      cut = proxy.stats.cut
      yield new Uint8Array(1 << 20)
    }
    const lost = failureOf(store.write('mute', vanishing(), writing()))
    await vi.waitFor(() => expect(proxy.stats.cut).toBeGreaterThan(cut))
    const from = performance.now()
    await store.close()
    expect(performance.now() - from).toBeLessThan(3000)
    expect(await lost).toMatchObject({ code: 'unavailable' })
    proxy.set({})
  })

  it('keep no file open for uploads that were aborted, whenever that was', async () => {
    const store = await opened({ connections: 1 })
    const started = namesIn(root).length
    for (let count = 0; count < 60; count++) {
      const abort = new AbortController()
      const announce = async (): Promise<void> => abort.abort(new Error('enough'))
      const over = failureOf(
        store.write(`aborted-${count}`, streamOf('x'), writing({ signal: abort.signal, announce })),
      )
      setTimeout(() => abort.abort(new Error('enough')), (count % 30) / 4)
      expect(await over).toMatchObject({ message: 'enough' })
    }
    await vi.waitFor(() => expect(openFilesIn(root)).toBe(0))
    await vi.waitFor(() => expect(namesIn(root)).toHaveLength(started))
  })

  it('say with each answer that work goes on', async () => {
    const store = await opened()
    let heard = 0
    const alive = (): void => void heard++
    await store.write('alive', streamOf(new Uint8Array(9 << 20)), writing({ alive }))
    expect(heard).toBeGreaterThan(36)
  })

  it('are fewer where the server allows no more', async () => {
    // one of them may still be that with which startSshd saw the server answer
    const sshd = await startSshd(service, { lines: ['MaxStartups 2:100:2'] })
    onTestFinished(() => sshd.kill())
    const store = await opened({ port: sshd.port, connections: 8 })
    writeFileSync(join(root, 'few'), 'x')
    await store.stat(at('few', sshd.port), { signal: never })
    const calls = Array.from({ length: 8 }, () => store.stat(at('few', sshd.port), { signal: never }))
    for (const { size } of await Promise.all(calls)) expect(size).toBe(1)
  })
})
