import { openRemoteRegistry, type RemoteRegistry } from '@mullion/registry'
import { memoryRegistry, memoryTasks, type UploadTask } from 'mullion/images'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../../../examples/image-server/test/registry/registry.ts'
import { IDS, image, rejects } from '../../sql/test/contract/ports.ts'

const [ID, OTHER] = IDS
const LOCATION = { uri: 'file:///images/1', metadata: {}, status: 'active' } as const
const UPLOAD: UploadTask = { kind: 'upload', id: 'task-1', imageId: ID, onFailure: 'kill' }

let time: number
let registry: TestRegistry
let remote: RemoteRegistry
beforeEach(async () => {
  time = Date.now()
  const now = () => new Date(time)
  registry = await startRegistry({ ...memoryRegistry(now), tasks: memoryTasks({ leaseMs: 30_000, now }) })
  remote = await openRemoteRegistry({ url: registry.url })
})
afterEach(async () => {
  await remote.close()
  await registry.close()
})

describe('a connection that breaks while an image is inserted', () => {
  it('before the registry saw it: the image is inserted', async () => {
    registry.breakNext('before', 'before')
    await remote.images.insert(image({ name: 'x', tags: ['b', 'a'], properties: new Map([['k', null]]) }))
    expect((await registry.ports.images.get(ID)).name).toBe('x')
  })

  it('after the registry did it: the image is inserted once', async () => {
    registry.breakNext('after')
    const inserted = await remote.images.insert(image({ name: 'x', locations: [LOCATION] }))
    expect(inserted).toEqual(await registry.ports.images.get(ID))
    expect(registry.seen).toEqual(['POST /images', 'POST /images', `GET /images/${ID}`])
  })

  it('does not make the image of somebody else ours', async () => {
    await registry.ports.images.insert(image({ owner: 'somebody' }))
    registry.breakNext('after')
    await rejects(remote.images.insert(image({ owner: 'me' })), 'already_exists', { key: ID })
  })
})

describe('a connection that breaks while an image is updated', () => {
  beforeEach(async () => {
    await registry.ports.images.insert(image({ status: 'queued', name: 'old' }))
  })

  it.each(['before', 'after'] as const)('%s the change of a status: it is written once', async (fault) => {
    registry.breakNext(fault)
    const changed = await remote.images.update(ID, { status: 'saving', writer: 'w.1' }, { status: ['queued'] })
    expect(changed).toMatchObject({ status: 'saving', writer: 'w.1' })
    expect(changed).toEqual(await registry.ports.images.get(ID))
  })

  it('after data became an image that was deactivated meanwhile: the data is still known to be its own', async () => {
    const { images } = registry.ports
    await images.update(ID, { status: 'saving', writer: 'w.1' })
    registry.breakNext('after')
    const activation = remote.images.update(
      ID,
      { status: 'active', writer: undefined, locations: [LOCATION] },
      { status: ['saving'], writer: 'w.1' },
    )
    // the client pauses between its attempts; an operator is faster
    while ((await images.get(ID)).status !== 'active') await new Promise((resolve) => setImmediate(resolve))
    await images.update(ID, { status: 'deactivated' })
    expect(await activation).toMatchObject({ status: 'deactivated', locations: [LOCATION] })
  })

  it('after somebody else wrote other data to the same place: it is a conflict', async () => {
    const { images } = registry.ports
    await images.update(ID, { status: 'saving', writer: 'w.1' })
    const ours = {
      status: 'active',
      writer: undefined,
      locations: [LOCATION],
      size: 3,
      checksum: 'a'.repeat(32),
    } as const
    for (const theirs of [{ size: 4 }, { checksum: 'b'.repeat(32) }]) {
      await images.update(ID, { ...ours, ...theirs })
      registry.breakNext('after')
      await rejects(remote.images.update(ID, ours, { status: ['saving'], writer: 'w.1' }), 'conflict')
    }
    await images.update(ID, ours)
    registry.breakNext('after')
    expect(await remote.images.update(ID, ours, { status: ['saving'], writer: 'w.1' })).toMatchObject({ size: 3 })
  })

  it('after another writer was first: it is a conflict', async () => {
    await registry.ports.images.update(ID, { status: 'saving', writer: 'other.1' })
    registry.breakNext('after')
    const change = remote.images.update(ID, { status: 'saving', writer: 'w.1' }, { status: ['queued'] })
    await rejects(change, 'conflict', { expected: 'queued' })
    expect((await registry.ports.images.get(ID)).writer).toBe('other.1')
  })

  it.each(['before', 'after'] as const)('%s a change without an expectation: it is not sent again', async (fault) => {
    registry.breakNext(fault)
    await rejects(remote.images.update(ID, { name: 'new' }), 'unavailable')
    expect((await registry.ports.images.get(ID)).name).toBe(fault === 'after' ? 'new' : 'old')
    expect(registry.seen.length).toBe(fault === 'after' ? 1 : 0)
  })

  it('a change that leaves its expectation true is not sent again either', async () => {
    registry.breakNext('after')
    await rejects(remote.images.update(ID, { name: 'new' }, { status: ['queued'] }), 'unavailable')
    expect(registry.seen).toEqual([`PUT /images/${ID}`])
  })
})

describe('a connection that breaks while somebody reads', () => {
  it.each(['before', 'after'] as const)('%s the answer: the question is asked again', async (fault) => {
    await registry.ports.images.insert(image())
    registry.breakNext(fault, fault)
    expect((await remote.images.get(ID)).id).toBe(ID)
  })

  it('more often than it may: it is unavailable, and worth another try later', async () => {
    registry.breakNext('before', 'before', 'before')
    await expect(remote.images.get(ID)).rejects.toMatchObject({ code: 'unavailable', retryable: true })
  })
})

describe('a connection that breaks while members change', () => {
  it('after a member was removed: that is a success', async () => {
    await registry.ports.images.insert(image())
    await remote.members.put(ID, { member: 'a' })
    registry.breakNext('after')
    await remote.members.remove(ID, 'a')
    expect(await remote.members.list(ID)).toEqual([])
    await rejects(remote.members.remove(ID, 'a'), 'not_found')
  })

  it.each(['before', 'after'] as const)('%s they were set: they are set', async (fault) => {
    await registry.ports.images.insert(image())
    registry.breakNext(fault)
    await remote.members.put(ID, { member: 'a', canShare: true })
    registry.breakNext(fault)
    await remote.members.replace(ID, [{ member: 'a' }, { member: 'b' }])
    expect((await remote.members.list(ID)).map(({ member, canShare }) => [member, canShare])).toEqual([
      ['a', true],
      ['b', false],
    ])
  })
})

describe('a connection that breaks while a task changes hands', () => {
  it.each(['before', 'after'] as const)('%s it was begun: the claim holds it', async (fault) => {
    registry.breakNext(fault)
    const claim = await remote.tasks.begin(UPLOAD, 'me')
    expect(claim).toMatchObject({ task: UPLOAD, worker: 'me', attempt: 1 })
    expect(claim.leaseMs).toBe(30_000)
    await remote.tasks.renew(claim)
    await remote.tasks.settle(claim)
    expect(await remote.tasks.list()).toEqual([])
  })

  it.each([-600_000, 600_000])('its lease is that of the queue, whose clock is off by %i ms', async (ms) => {
    time += ms
    registry.breakNext('after')
    expect((await remote.tasks.begin(UPLOAD, 'me')).leaseMs).toBe(30_000)
  })

  it('by a release: it is sent once, as the second would take what was claimed since', async () => {
    registry.breakNext('after')
    await rejects(remote.tasks.release('me'), 'unavailable')
    expect(registry.seen).toEqual(['POST /tasks/release'])
    registry.breakNext('before')
    await rejects(remote.tasks.release('me'), 'unavailable')
    const claim = await remote.tasks.begin(UPLOAD, 'me')
    await remote.tasks.renew(claim)
  })

  it('does not give us the task that somebody else began', async () => {
    await registry.ports.tasks.begin(UPLOAD, 'other')
    registry.breakNext('after')
    await rejects(remote.tasks.begin(UPLOAD, 'me'), 'already_exists', { key: UPLOAD.id })
  })

  it.each(['before', 'after'] as const)('%s it was put in: it is there once', async (fault) => {
    registry.breakNext(fault)
    await remote.tasks.enqueue(UPLOAD)
    expect((await remote.tasks.list()).map(({ id }) => id)).toEqual([UPLOAD.id])
    await rejects(remote.tasks.enqueue(UPLOAD), 'already_exists')
  })

  it('after it was claimed: nobody has it until the lease is over', async () => {
    await remote.tasks.enqueue(UPLOAD)
    registry.breakNext('after')
    await rejects(remote.tasks.claim('me', 'upload'), 'unavailable')
    expect(registry.seen.filter((request) => request === 'POST /tasks/claim')).toHaveLength(1)
    expect(await remote.tasks.claim('me', 'upload')).toBeUndefined()
    time += 30_000
    expect(await remote.tasks.claim('other', 'upload')).toMatchObject({ worker: 'other', attempt: 2 })
  })

  it.each(['before', 'after'] as const)('%s it was settled: it is over', async (fault) => {
    const claim = await remote.tasks.begin(UPLOAD, 'me')
    registry.breakNext(fault)
    await remote.tasks.settle(claim, 'why not')
    expect(await remote.tasks.list()).toEqual([])
  })

  it('after somebody else took it over: settling it is a conflict', async () => {
    const claim = await remote.tasks.begin(UPLOAD, 'me')
    time += 30_000
    await remote.tasks.claim('other', 'upload')
    registry.breakNext('after')
    await rejects(remote.tasks.settle(claim), 'conflict', { expected: 'a claim that holds the task' })
    await rejects(remote.tasks.renew(claim), 'conflict')
  })

  it('after it was given back and claimed anew: the new claim stays', async () => {
    const claim = await remote.tasks.begin(UPLOAD, 'me')
    registry.breakNext('after')
    const given = remote.tasks.giveBack(claim)
    while ((await registry.ports.tasks.list())[0]?.held) await new Promise((resolve) => setImmediate(resolve))
    const next = await registry.ports.tasks.claim('other', 'upload')
    await given
    if (!next) throw new Error('expected a claim')
    await remote.tasks.renew(next)
  })
})

it('does not ask a registry twice whether two images are one', async () => {
  await remote.images.insert(image())
  await rejects(remote.images.insert(image()), 'already_exists')
  await rejects(remote.images.get(OTHER), 'not_found', { location: OTHER })
  expect(registry.seen).toEqual(['POST /images', 'POST /images', `GET /images/${OTHER}`])
})
