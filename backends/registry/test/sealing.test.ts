import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRemoteRegistry, type RemoteRegistryConfig } from '@mullion/registry'
import { openRegistry } from '@mullion/sql'
import type { CopyTask } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startRegistry } from '../../../examples/image-server/test/registry/registry.ts'
import { everything, IDS, image, rejects } from '../../sql/test/contract/ports.ts'

const [ID, OTHER] = IDS
const LOCATION = {
  uri: 'swift+https://user:hunter2@host/container/object',
  metadata: { token: 'hunter3' },
  status: 'active',
} as const
const COPY: CopyTask = { kind: 'copy', id: 't', imageId: ID, uri: 'https://user:hunter4@host/x', store: 'fast' }
const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64')
const KEYS = [{ id: 'k1', key: key(1) }]

/** Everything that goes to a port and comes back. */
async function wiretap(target: number): Promise<{ readonly url: string; octets(): string }> {
  const heard: Buffer[] = []
  const server = createServer((socket) => {
    const upstream = connect(target, '127.0.0.1')
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      from.on('data', (chunk: Buffer) => heard.push(chunk)).on('error', () => to.destroy())
      from.pipe(to)
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, octets: () => Buffer.concat(heard).toString('latin1') }
}

async function remote(config: RemoteRegistryConfig): ReturnType<typeof openRemoteRegistry> {
  const opened = await openRemoteRegistry(config)
  onTestFinished(() => opened.close())
  return opened
}

describe('secrets of locations and tasks', () => {
  it('are neither on the wire nor in the database', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mullion-sealing-'))
    const kept = await openRegistry({ file: join(directory, 'registry.sqlite') })
    const registry = await startRegistry(kept)
    const tap = await wiretap(registry.port)
    const { images, tasks, close } = await openRemoteRegistry({ url: tap.url, encryptionKeys: KEYS })
    await images.insert(image({ locations: [LOCATION], name: 'visible' }))
    await images.update(ID, { locations: [LOCATION, { ...LOCATION, status: 'pending' }] })
    expect((await images.get(ID)).locations[0]).toEqual(LOCATION)
    expect((await images.list(everything()))[0]?.locations[0]).toEqual(LOCATION)
    await tasks.enqueue(COPY)
    expect((await tasks.claim('w', 'copy'))?.task).toEqual(COPY)
    await close()
    await registry.close()
    const files = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'latin1'))
    for (const text of [tap.octets(), files.join('')]) {
      expect(text).toContain('visible')
      expect(text).toContain('v1:k1:')
      for (const secret of ['hunter2', 'hunter3', 'hunter4']) expect(text).not.toContain(secret)
    }
    await kept.close()
    rmSync(directory, { recursive: true })
  })

  it('are as they came to other clients while there is no key', async () => {
    const registry = await startRegistry()
    onTestFinished(() => registry.close())
    const { images, tasks } = await remote({ url: registry.url })
    await images.insert(image({ locations: [LOCATION] }))
    await tasks.enqueue(COPY)
    expect((await registry.ports.images.get(ID)).locations).toEqual([LOCATION])
    expect((await registry.ports.tasks.claim('w', 'copy'))?.task).toEqual(COPY)
  })

  it('that were stored before there was a key are read, or refused on demand', async () => {
    const registry = await startRegistry()
    onTestFinished(() => registry.close())
    await registry.ports.images.insert(image({ locations: [LOCATION] }))
    const lenient = await remote({ url: registry.url, encryptionKeys: KEYS })
    expect((await lenient.images.get(ID)).locations).toEqual([LOCATION])
    const strict = await remote({ url: registry.url, encryptionKeys: KEYS, refusePlain: true })
    await expect(strict.images.get(ID)).rejects.toMatchObject({
      code: 'invalid_config',
      message: `registry: encryptionKeys: location of image ${ID} is stored unencrypted and refusePlain is set`,
    })
  })

  it('are read with every key, and written with the first', async () => {
    const registry = await startRegistry()
    onTestFinished(() => registry.close())
    const before = await remote({ url: registry.url, encryptionKeys: KEYS })
    await before.images.insert(image({ locations: [LOCATION] }))
    const after = await remote({ url: registry.url, encryptionKeys: [{ id: 'k2', key: key(2) }, ...KEYS] })
    const { locations } = await after.images.get(ID)
    await after.images.update(ID, { locations })
    expect((await registry.ports.images.get(ID)).locations[0]?.uri).toMatch(/^v1:k2:/)
  })

  it.each([
    ['a key that is not there', [{ id: 'k2', key: key(2) }], /is encrypted with key "k1", which is not configured/],
    ['another key of the same name', [{ id: 'k1', key: key(2) }], /is not authentic/],
    ['no key at all', [], /is encrypted with key "k1", which is not configured/],
  ])('cannot be read with %s, and the error says so without them', async (_what, encryptionKeys, problem) => {
    const registry = await startRegistry()
    onTestFinished(() => registry.close())
    const right = await remote({ url: registry.url, encryptionKeys: KEYS })
    await right.images.insert(image({ locations: [LOCATION] }))
    await right.tasks.enqueue(COPY)
    const wrong = await remote({ url: registry.url, encryptionKeys })
    for (const call of [wrong.images.get(ID), wrong.tasks.claim('w', 'copy')]) {
      const error: unknown = await call.catch((reason: unknown) => reason)
      expect(error).toMatchObject({ message: expect.stringMatching(problem) as string, retryable: false })
      expect(String(error)).not.toContain('hunter')
    }
  })

  it('that cannot be read are hidden in lists, and nobody can write the hidden ones over them', async () => {
    const registry = await startRegistry()
    onTestFinished(() => registry.close())
    const right = await remote({ url: registry.url, encryptionKeys: KEYS })
    const PENDING = { ...LOCATION, status: 'pending' } as const
    await right.images.insert(image({ locations: [LOCATION, PENDING] }))
    await right.images.insert(image({ id: OTHER }))
    for (const encryptionKeys of [[], [{ id: 'k2', key: key(2) }]]) {
      const { images } = await remote({ url: registry.url, encryptionKeys })
      const listed = await images.list(everything({ sortKey: 'id', sortDirection: 'asc' }))
      const hidden = [
        { uri: 'sealed:unreadable#1', metadata: {}, status: 'active' },
        { uri: 'sealed:unreadable#2', metadata: {}, status: 'pending' },
      ]
      expect(listed.map(({ locations }) => locations)).toEqual([hidden, []])
      expect(await images.list(everything({ filters: { locationStatus: 'pending' } }))).toHaveLength(1)
      const { locations = [] } = listed[0] ?? {}
      for (const id of [ID, OTHER]) await rejects(images.update(id, { locations }), 'invalid_argument')
      await rejects(images.insert(image({ id: IDS[2], locations })), 'invalid_argument')
    }
    expect((await right.images.get(ID)).locations).toEqual([LOCATION, PENDING])
  })

  it('of tasks that cannot be read stop none behind them', async () => {
    const registry = await startRegistry()
    onTestFinished(() => registry.close())
    const right = await remote({ url: registry.url, encryptionKeys: KEYS })
    for (const id of ['a', 'b']) await right.tasks.enqueue({ ...COPY, id })
    const { tasks } = await remote({ url: registry.url, encryptionKeys: [{ id: 'k2', key: key(2) }] })
    await tasks.enqueue({ ...COPY, id: 'c' })
    expect((await tasks.claim('w', 'copy'))?.task).toEqual({ ...COPY, id: 'c' })
    expect(await tasks.claim('w', 'copy')).toBeUndefined()
  })

  it('cannot be moved to another image', async () => {
    const registry = await startRegistry()
    onTestFinished(() => registry.close())
    const { images } = await remote({ url: registry.url, encryptionKeys: KEYS })
    await images.insert(image({ locations: [LOCATION] }))
    const { locations } = await registry.ports.images.get(ID)
    await registry.ports.images.insert(image({ id: OTHER, locations }))
    await expect(images.get(OTHER)).rejects.toMatchObject({ code: 'internal' })
  })
})
