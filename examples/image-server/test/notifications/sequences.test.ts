import { defineStore, MullionError, type StoreSpec } from 'mullion'
import { runTask } from 'mullion/images'
import { connect } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import type { Notification, SentPayload } from '../../src/notifications/notification.ts'
import { withoutEvents } from '../../src/notifications/notifier.ts'
import { publisher } from '../../src/notifications/publisher.ts'
import { deadUrl, startRemote } from '../v1/remote.ts'
import {
  identity,
  md5,
  RAW,
  request,
  reserved,
  startServer,
  type TestOptions,
  type TestServer,
  uploaded,
} from '../v1/server.ts'
import { startReceiver } from './receiver.ts'
import { recordingOutlet } from './recording.ts'

const WITHIN = { timeout: 20_000, interval: 1 }

const FORMATS = { 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare' }

interface Told {
  readonly server: TestServer
  readonly notifications: readonly Notification[]
  /** Names, failures with an exclamation mark. */
  sequence(): readonly string[]
}

/** The server with a publisher that keeps what it publishes. */
async function start({ ports, ...options }: TestOptions = {}, disabled: readonly string[] = []): Promise<Told> {
  const outlet = recordingOutlet()
  const newId = (): string => crypto.randomUUID()
  const publishing = publisher([outlet], { publisherId: 'image.localhost', now: () => new Date(), newId })
  const notifier = withoutEvents(disabled, publishing)
  const dataSent = notifier.dataSent.bind(notifier)
  const server = await startServer({ ...options, ports: { worker: 'test', notifier, dataSent, ...ports } })
  const sequence = () =>
    outlet.notifications.map(({ eventType, priority }) => `${eventType}${priority === 'ERROR' ? '!' : ''}`)
  return { server, notifications: outlet.notifications, sequence }
}

/** Does the copies that wait, as a worker would. */
async function work({ ports }: TestServer): Promise<void> {
  for (let claim = await ports.tasks.claim('test', 'copy'); claim; claim = await ports.tasks.claim('test', 'copy')) {
    await runTask(ports, claim)
  }
}

describe('the notifications of Images v1', () => {
  it('of a reservation: create', async () => {
    const { server, notifications, sequence } = await start()
    const headers = { 'x-image-meta-name': 'cirros', 'x-image-meta-property-arch': 'x86' }
    const { image } = (await server.call('POST', '/v1/images', headers)).json
    expect(sequence()).toEqual(['image.create'])
    expect(notifications[0]).toEqual({
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      publisherId: 'image.localhost',
      eventType: 'image.create',
      priority: 'INFO',
      payload: image,
      timestamp: expect.any(Date) as Date,
      imageId: image.id,
    })
  })

  it('of an upload by POST: create, prepare (still queued), upload (saving), activate, update', async () => {
    const { server, notifications, sequence } = await start()
    await uploaded(server, 'hello world')
    expect(sequence()).toEqual(['image.create', 'image.prepare', 'image.upload', 'image.activate', 'image.update'])
    const facts = notifications.map(
      ({ payload }) => payload as { status: string; size: number; checksum: string | null },
    )
    expect(facts.map(({ status }) => status)).toEqual(['queued', 'queued', 'saving', 'active', 'active'])
    expect(facts[2]).toMatchObject({ size: 11, checksum: md5('hello world') })
  })

  it('of an upload by PUT: prepare, upload, activate, update, update', async () => {
    const { server, sequence } = await start()
    const id = await reserved(server, FORMATS)
    expect((await server.call('PUT', `/v1/images/${id}`, RAW, 'data')).status).toBe(200)
    expect(sequence().slice(1)).toEqual([
      'image.prepare',
      'image.upload',
      'image.activate',
      'image.update',
      'image.update',
    ])
  })

  it('of a registration: create, activate, update', async () => {
    const [{ server, sequence }, remote] = [await start(), await startRemote()]
    const headers = { ...FORMATS, 'x-image-meta-location': `${remote.url}/data` }
    expect((await server.call('POST', '/v1/images', headers)).status).toBe(201)
    expect(sequence()).toEqual(['image.create', 'image.activate', 'image.update'])
  })

  it('of a copy: create at once; prepare, upload, activate, update when it is done', async () => {
    const [{ server, sequence }, remote] = [await start(), await startRemote()]
    const headers = { ...FORMATS, 'x-glance-api-copy-from': `${remote.url}/data` }
    expect((await server.call('POST', '/v1/images', headers)).status).toBe(201)
    expect(sequence()).toEqual(['image.create'])
    await work(server)
    expect(sequence().slice(1)).toEqual(['image.prepare', 'image.upload', 'image.activate', 'image.update'])
  })

  it('of a copy whose source cannot be opened: create only', async () => {
    const { server, sequence } = await start()
    const headers = { ...FORMATS, 'x-image-meta-size': '11', 'x-glance-api-copy-from': await deadUrl() }
    const { json } = await server.call('POST', '/v1/images', headers)
    await work(server)
    expect(sequence()).toEqual(['image.create'])
    expect((await server.image(json.image.id)).status).toBe('killed')
  })

  it('of an upload of the wrong content type: create only', async () => {
    const { server, sequence } = await start()
    const headers = { ...RAW, 'content-type': 'text/plain', 'x-image-meta-size': '4' }
    expect((await server.call('POST', '/v1/images', headers, 'data')).status).toBe(400)
    expect(sequence()).toEqual(['image.create'])
  })

  it('of a failed upload: create, prepare, upload (ERROR, with the reason as text)', async () => {
    const { server, notifications, sequence } = await start()
    const headers = { ...RAW, 'x-image-meta-checksum': md5('other') }
    expect((await server.call('POST', '/v1/images', headers, 'data')).status).toBe(400)
    expect(sequence()).toEqual(['image.create', 'image.prepare', 'image.upload!'])
    expect(notifications.at(-1)?.payload).toEqual(expect.stringContaining(md5('other')))
  })

  it('of an upload whose client leaves: create, prepare, and nothing more', async () => {
    const { server, sequence, notifications } = await start()
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    socket.write(request('POST', '/v1/images', RAW, 'hello world').subarray(0, -5))
    await vi.waitUntil(() => sequence().length === 2, WITHIN)
    socket.destroy()
    const id = notifications[0]?.imageId ?? ''
    await vi.waitUntil(async () => (await server.image(id)).status === 'killed', WITHIN)
    await uploaded(server, 'x')
    expect(sequence().slice(0, 3)).toEqual(['image.create', 'image.prepare', 'image.create'])
  })

  it('of a change: update; of one that is refused: nothing', async () => {
    const { server, notifications, sequence } = await start()
    const id = await reserved(server)
    expect((await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-name': 'other' })).status).toBe(200)
    expect((await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-status': 'active' })).status).toBe(403)
    expect(sequence()).toEqual(['image.create', 'image.update'])
    expect(notifications[1]?.payload).toMatchObject({ id, name: 'other', status: 'queued' })
  })

  it.each([
    [false, 'deleted'],
    [true, 'pending_delete'],
  ])('of a deletion, delayed %j: delete, as it was but %s', async (delayedDelete, status) => {
    const { server, notifications, sequence } = await start({ settings: { delayedDelete } })
    const id = await uploaded(server, 'data')
    expect((await server.call('DELETE', `/v1/images/${id}`)).status).toBe(200)
    expect(sequence().slice(5)).toEqual(['image.delete'])
    expect(notifications.at(-1)?.payload).toMatchObject({ id, status, deleted: false, deleted_at: null, size: 4 })
  })

  it('of a download: send, with who got how much', async () => {
    const { server, notifications, sequence } = await start({ settings: { auth: 'trusted' } })
    const owner = { ...identity('owner', 'admin'), 'x-image-meta-is_public': 'true' }
    const id = await uploaded(server, 'hello world', owner)
    expect((await server.call('GET', `/v1/images/${id}`, identity('reader'))).text).toBe('hello world')
    await vi.waitUntil(() => sequence().length === 6, WITHIN)
    expect(notifications.at(-1)).toMatchObject({
      eventType: 'image.send',
      priority: 'INFO',
      payload: {
        bytes_sent: 11,
        image_id: id,
        owner_id: 'owner',
        receiver_tenant_id: 'reader',
        receiver_user_id: 'user-of-reader',
        destination_ip: '127.0.0.1',
      } satisfies SentPayload,
    })
  })

  it('of a download with fewer bytes than the record says: send (ERROR)', async () => {
    const [{ server, notifications, sequence }, remote] = [await start(), await startRemote()]
    const headers = { ...FORMATS, 'x-image-meta-location': `${remote.url}/short` }
    const { json } = await server.call('POST', '/v1/images', headers)
    await server.call('GET', `/v1/images/${json.image.id}`)
    await vi.waitUntil(() => sequence().length === 4, WITHIN)
    expect(notifications.at(-1)).toMatchObject({
      eventType: 'image.send',
      priority: 'ERROR',
      payload: { image_id: json.image.id, bytes_sent: 5 },
    })
  })

  it('are not sent when they are disabled, which Images v1 used to ignore', async () => {
    const { server, sequence } = await start({}, ['image.prepare', 'image.upload', 'image.update'])
    await uploaded(server, 'data')
    expect(sequence()).toEqual(['image.create', 'image.activate'])
  })
})

describe('what notifications give away', () => {
  it('is no location and no secret of one, whatever happens to the image (OSSN-0065)', async () => {
    const [{ server, notifications }, remote] = [await start(), await startReceiver((to) => to.end('hello world'))]
    const uri = `${remote.url}&signature=s3cr3t`
    const ids: string[] = []
    for (const header of ['x-image-meta-location', 'x-glance-api-copy-from']) {
      const answer = await server.call('POST', '/v1/images', { ...FORMATS, 'x-image-meta-size': '11', [header]: uri })
      ids.push(answer.json.image.id)
    }
    await work(server)
    for (const id of ids) {
      await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-name': 'renamed' })
      await server.call('GET', `/v1/images/${id}`)
      await server.call('DELETE', `/v1/images/${id}`)
    }
    expect(notifications.length).toBeGreaterThan(8)
    expect(JSON.stringify(notifications)).not.toMatch(/s3cr3t|hook|"location|http:|memory:/)
  })

  it('is nothing of the words of a store that fails (CVE-2013-0212)', async () => {
    const words = 'PUT swift+https://tester:s3cr3t@internal.example/v1/AUTH_x/glance/1: 500, see /var/log/swift.log'
    const { server, notifications, sequence } = await start({ stores: { failing: failing(words) } })
    expect((await server.call('POST', '/v1/images', RAW, 'data')).status).toBe(503)
    expect(sequence().at(-1)).toBe('image.upload!')
    expect(JSON.stringify(notifications)).not.toMatch(/s3cr3t|tester|internal\.example|AUTH_x|swift\.log/)
  })
})

/** A store that fails to write, with those words. */
function failing(words: string): StoreSpec<never> {
  const plugin = defineStore({
    name: 'failing',
    schemes: ['failing'],
    config: z.object({}),
    location: { parse: (uri: string) => uri, format: (key) => `failing://${key}` },
    capabilities: { atomicWrite: true },
    open: () => ({
      read: () => Promise.reject(new Error(words)),
      stat: () => Promise.reject(new Error(words)),
      write: () => Promise.reject(new MullionError('unavailable', words, { details: {} })),
    }),
  })
  return plugin({}) as StoreSpec<never>
}
