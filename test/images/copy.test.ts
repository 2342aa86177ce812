import { collect, memory, MullionError, type Store } from 'mullion'
import { type Claim, copy, copyLater, type CopyTask, openData, recover, runTask, upload } from 'mullion/images'
import { seededBytes, stallingSource } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { failureOf, gate, tiny } from '../tiny-store.ts'
import { type Scene, scene } from './scene.ts'

const content = seededBytes(13, 1000)
const log = (): void => {}

/** A remote store with one object, and a store of one's own. */
async function remote(functions: { readonly [F in keyof Store<string>]?: Store<string>[F] } = {}, range = false) {
  const far = tiny({
    scheme: 'http',
    capabilities: { range },
    with: { write: undefined, remove: undefined, ...functions },
  })
  far.objects.set('x', content)
  const near = tiny()
  const set = await scene({ near: near.spec, far: far.spec })
  return {
    set,
    near,
    far,
    /** A copy of the object to the image, held by this process. */
    task: (imageId: string, uri = 'http://x'): Promise<Claim<CopyTask>> => held(set, imageId, uri),
  }
}

async function held(set: Scene, imageId: string, uri: string, store?: string): Promise<Claim<CopyTask>> {
  await set.ports.tasks.enqueue({ kind: 'copy', id: 't', imageId, uri, store })
  const claim = await set.ports.tasks.claim('w', 'copy')
  if (!claim) throw new Error('no task')
  return claim
}

describe('copyLater', () => {
  it('leaves the image queued and the work in the queue, as plain data', async () => {
    const { set } = await remote()
    await using _ = set
    const { id } = await set.image()
    expect(await copyLater(set.ports, id, 'http://x', { store: 'near' })).toMatchObject({ id, status: 'queued' })
    const claim = await set.ports.tasks.claim('w', 'copy')
    expect(claim?.task).toEqual({ kind: 'copy', id: 'id-2', imageId: id, uri: 'http://x', store: 'near' })
    expect(JSON.parse(JSON.stringify(claim))).toEqual(claim)
  })

  it('queues nothing for no image', async () => {
    const { set } = await remote()
    await using _ = set
    expect(await failureOf(copyLater(set.ports, 'none', 'http://x'))).toMatchObject({ code: 'not_found' })
    expect(await set.ports.tasks.claim('w', 'copy')).toBeUndefined()
  })
})

describe('copy', () => {
  it('brings the bytes into the store and makes the image active', async () => {
    const { set, task } = await remote()
    await using _ = set
    const { id } = await set.image()
    const active = await copy(set.ports, await task(id))
    expect(active).toMatchObject({
      status: 'active',
      size: 1000,
      locations: [{ uri: `tiny://${id}`, metadata: { store: 'near' } }],
    })
    expect(Buffer.compare(await collect((await openData(set.ports, active)).body), content)).toBe(0)
    expect(set.events()).toEqual(['prepare', 'upload', 'activate', 'update'])
  })

  it('believes the size the remote side tells, not the one the client did', async () => {
    const { set, task } = await remote()
    await using _ = set
    const { id } = await set.image({ size: 5 })
    expect(await copy(set.ports, await task(id))).toMatchObject({ status: 'active', size: 1000 })
  })

  it('holds the client to its size where the remote side tells none', async () => {
    const { set, task } = await remote({ stat: async () => ({ size: undefined }) })
    await using _ = set
    const { id } = await set.image({ size: 5 })
    expect(await failureOf(copy(set.ports, await task(id)))).toMatchObject({ code: 'size_mismatch' })
    expect(await set.get(id)).toMatchObject({ status: 'killed', locations: [] })
  })

  it('kills an image whose source is not there, without a word but create', async () => {
    const { set, task } = await remote()
    await using _ = set
    const { id } = await set.image()
    expect(await failureOf(copy(set.ports, await task(id, 'http://y')))).toMatchObject({ code: 'not_found' })
    expect(await set.get(id)).toMatchObject({ status: 'killed', reason: expect.stringContaining('nothing at y') })
    expect(set.events()).toEqual([])
  })

  it.each([true, false])('brings every byte although the source breaks (ranges: %s)', async (range) => {
    let opened = 0
    const { set, near, task } = await remote(
      {
        async read(_key, { offset }) {
          opened += 1
          const part = content.subarray(offset, opened === 1 ? 300 : 1000)
          const broken = opened === 1
          return {
            size: 1000,
            body: (async function* () {
              yield part
              if (broken) throw new MullionError('unavailable', 'reset', { details: {} })
            })(),
          }
        },
      },
      range,
    )
    await using _ = set
    const { id } = await set.image()
    await copy(set.ports, await task(id))
    expect(Buffer.compare(near.objects.get(id) ?? new Uint8Array(), content)).toBe(0)
    expect(opened).toBe(2)
  })

  it('obeys the limit and keeps nothing', async () => {
    const { set, near, task } = await remote()
    await using _ = set
    const { id } = await set.image()
    expect(await failureOf(copy(set.ports, await task(id), { limit: 999 }))).toMatchObject({ code: 'too_large' })
    expect((await set.get(id)).status).toBe('killed')
    expect(near.objects.size).toBe(0)
  })

  it.each(['active', 'killed', 'deleted'] as const)('refuses an image that is %s', async (status) => {
    const { set, task } = await remote()
    await using _ = set
    const { id } = await set.image({}, { status })
    expect(await failureOf(copy(set.ports, await task(id)))).toMatchObject({ code: 'invalid_transition' })
    expect((await set.get(id)).status).toBe(status)
  })

  it('starts again after a crash, over what the first run left', async () => {
    const { set, near, task } = await remote()
    await using _ = set
    const { id } = await set.image()
    const left = { uri: `tiny://${id}`, metadata: { store: 'near' }, status: 'pending' } as const
    const { token } = await task(id)
    await set.ports.images.update(id, { status: 'saving', writer: token, locations: [left] })
    near.objects.set(id, content.subarray(0, 10))
    await recover(set.ports, { log })
    expect(await set.get(id)).toMatchObject({ status: 'saving', writer: token })
    const again = await set.ports.tasks.claim('w', 'copy')
    if (again) await runTask(set.ports, again)
    expect(await set.get(id)).toMatchObject({ status: 'active', locations: [{ status: 'active' }] })
    expect([...near.objects.keys()]).toEqual([`${id}.2`])
    expect(await set.ports.tasks.list()).toEqual([])
  })

  it('kills the image, and remembers the place, when what a crash left cannot be removed', async () => {
    const { set, near, task } = await remote()
    await using _ = set
    const { id } = await set.image()
    const left = { uri: `tiny://${id}`, metadata: { store: 'near' }, status: 'pending' } as const
    await set.ports.images.update(id, { locations: [left] })
    near.objects.set(id, content.subarray(0, 10))
    const busy = async (): Promise<never> => {
      throw new MullionError('unavailable', 'tiny: busy', { details: {}, context: { store: 'near' } })
    }
    const ports = { ...set.ports, stores: { ...set.ports.stores, delete: busy } }
    await runTask(ports, await task(id))
    expect(await set.get(id)).toMatchObject({ status: 'killed', reason: 'tiny: busy', locations: [left] })
    await recover(set.ports, { log })
    expect([await set.get(id), near.objects.size]).toMatchObject([{ status: 'killed', locations: [] }, 0])
  })

  it.each([true, false])('leaves an upload alone that began meanwhile, source there: %s', async (there) => {
    const asked = gate()
    const uploading = gate()
    const { set, near, task } = await remote({
      async stat() {
        asked.open()
        await uploading.opened
        if (there) return { size: 1000 }
        throw new MullionError('not_found', 'gone', { details: { location: 'x' } })
      },
    })
    await using _ = set
    const { id } = await set.image()
    const copying = runTask(set.ports, await task(id))
    await asked.opened
    const finish = gate()
    const source = async function* () {
      yield content.subarray(0, 500)
      uploading.open()
      await finish.opened
      yield content.subarray(500)
    }
    const uploaded = upload(set.ports, id, source(), { onFailure: 'kill' })
    await copying
    expect((await set.get(id)).status).toBe('saving')
    finish.open()
    expect(await uploaded).toMatchObject({ status: 'active', size: 1000 })
    expect(near.objects.get(id)).toHaveLength(1000)
  })

  it('queues the image again when a shutdown interrupts it, and leaves the task to whoever did', async () => {
    const source = stallingSource(100)
    const { set, near, task } = await remote({ read: async () => ({ body: source, size: 1000 }) })
    await using _ = set
    const { id } = await set.image()
    const claim = await task(id)
    const controller = new AbortController()
    const running = runTask(set.ports, claim, { signal: controller.signal })
    await source.stalled
    controller.abort(new Error('shutting down'))
    await running
    expect(await set.get(id)).toMatchObject({ status: 'queued', locations: [] })
    expect(near.objects.size).toBe(0)
    expect(await set.ports.tasks.list()).toMatchObject([{ imageId: id, attempts: 1, held: undefined }])
  })
})

describe('a copy between two stores of one scheme', () => {
  it('goes to the one it was meant for', async () => {
    await using set = await scene({ a: memory(), b: tiny().spec })
    const { location } = await set.ports.stores.add('source', content)
    const { id } = await set.image()
    expect((await copy(set.ports, await held(set, id, String(location), 'b'))).locations).toMatchObject([
      { uri: `tiny://${id}` },
    ])
  })
})
