import { memory, MullionError } from 'mullion'
import { copyLater, type Ports, runTask, sweep, upload } from 'mullion/images'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { cluster, content, frozen, halting, LEASE_MS, log, takeOverUpload } from './cluster.ts'
import { failureOf, gate } from '../tiny-store.ts'
import { type Scene, scene } from './scene.ts'

afterEach(() => void vi.useRealTimers())

describe('an upload', () => {
  it('is nobody else’s for as long as its process renews the lease', async () => {
    const { set, other } = await cluster()
    await using _ = set
    const { id } = await set.image()
    const { body, begun, goOn } = halting()
    const uploading = upload(set.ports, id, body, { onFailure: 'kill' })
    await begun
    for (let step = 0; step < 9; step += 1) {
      await vi.advanceTimersByTimeAsync(LEASE_MS / 3)
      expect(await other.tasks.claim('other', 'upload')).toBeUndefined()
    }
    goOn()
    expect(await uploading).toMatchObject({ status: 'active', writer: undefined })
    expect(await set.ports.tasks.list()).toEqual([])
  })

  it('whose process is gone is ended by another when the lease has run out', async () => {
    const { set, near, other } = await cluster()
    await using _ = set
    const { id } = await set.image()
    const { body, begun } = halting()
    void upload(frozen(set.ports), id, body, { onFailure: 'kill' }).catch(() => {})
    await begun
    await vi.advanceTimersByTimeAsync(LEASE_MS - 1)
    expect(await other.tasks.claim('other', 'upload')).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await takeOverUpload(other)
    expect(await set.get(id)).toMatchObject({ status: 'killed', writer: undefined, locations: [] })
    expect([near.objects.size, await set.ports.tasks.list()]).toEqual([0, []])
    expect(set.events()).toContain('upload!')
  })

  it('that wakes up after it was ended changes nothing and leaves nothing', async () => {
    const { set, near, other } = await cluster()
    await using _ = set
    const { id } = await set.image()
    const { body, begun, goOn } = halting()
    const uploading = failureOf(upload(frozen(set.ports), id, body, { onFailure: 'kill' }))
    await begun
    await vi.advanceTimersByTimeAsync(LEASE_MS)
    await takeOverUpload(other)
    goOn()
    expect(['conflict', 'not_found']).toContain(await uploading.then((error) => (error as MullionError).code))
    expect(await set.get(id)).toMatchObject({ status: 'killed', reason: expect.stringContaining('stopped') })
    expect(near.objects.size).toBe(0)
  })

  it('stops as soon as it hears that somebody else ended it', async () => {
    const { set, near, other } = await cluster()
    await using _ = set
    const { id } = await set.image()
    const { body, begun } = halting()
    const down = gate()
    const tasks = { ...set.ports.tasks }
    const renew: typeof tasks.renew = (claim) => down.opened.then(() => tasks.renew(claim))
    const uploading = failureOf(upload({ ...set.ports, tasks: { ...tasks, renew } }, id, body, { onFailure: 'kill' }))
    await begun
    await vi.advanceTimersByTimeAsync(LEASE_MS)
    await takeOverUpload(other)
    down.open()
    expect(await uploading).toMatchObject({ code: 'conflict' })
    expect([(await set.get(id)).status, near.objects.size]).toEqual(['killed', 0])
  })

  it('goes on while the queue cannot be reached', async () => {
    const { set } = await cluster()
    await using _ = set
    const { id } = await set.image()
    const { body, begun, goOn } = halting()
    const renew = async (): Promise<never> => {
      throw new MullionError('unavailable', 'the database is away', { details: {} })
    }
    const uploading = upload({ ...set.ports, tasks: { ...set.ports.tasks, renew } }, id, body, { onFailure: 'kill' })
    await begun
    await vi.advanceTimersByTimeAsync(3 * LEASE_MS)
    goOn()
    expect((await uploading).status).toBe('active')
  })

  it('that fails is over for the queue as well', async () => {
    const { set } = await cluster()
    await using _ = set
    const { id } = await set.image({ size: 3 })
    await failureOf(upload(set.ports, id, content, { onFailure: 'requeue' }))
    expect(await set.ports.tasks.list()).toEqual([])
    expect(await set.get(id)).toMatchObject({ status: 'queued', writer: undefined })
  })
})

describe('a copy', () => {
  /** A copy that stands still in the middle, in a process that the queue hears nothing of. */
  async function stuck() {
    const { set, near, far, other } = await cluster()
    const { id } = await set.image()
    await copyLater(set.ports, id, 'http://x')
    const { body, begun, goOn, awake } = halting()
    const stores: Ports['stores'] = {
      ...set.ports.stores,
      async get(location, options) {
        const result = await set.ports.stores.get(location, options)
        return { ...result, body: body(), [Symbol.asyncDispose]: () => result[Symbol.asyncDispose]() }
      },
    }
    const claim = await set.ports.tasks.claim('w', 'copy')
    if (!claim) throw new Error('no copy')
    const running = runTask({ ...frozen(set.ports, awake), stores }, claim)
    await begun
    await vi.advanceTimersByTimeAsync(LEASE_MS)
    return { set, near, far, other, id, running, goOn }
  }

  async function takeOver(ports: Ports): Promise<void> {
    const claim = await ports.tasks.claim(ports.worker, 'copy')
    if (!claim) throw new Error('no copy to take over')
    await runTask(ports, claim)
  }

  async function expectDone(set: Scene, id: string, objects: ReadonlyMap<string, Uint8Array>): Promise<void> {
    expect(await set.get(id)).toMatchObject({
      status: 'active',
      size: 500,
      writer: undefined,
      locations: [{ uri: `tiny://${id}.2`, status: 'active' }],
    })
    expect([...objects.keys()]).toEqual([`${id}.2`])
    expect(Buffer.compare(objects.get(`${id}.2`) ?? new Uint8Array(), content)).toBe(0)
    expect(await set.ports.tasks.list()).toEqual([])
  }

  it('begun by a process that is gone is done by another', async () => {
    const { set, near, other, id } = await stuck()
    await using _ = set
    await takeOver(other)
    await expectDone(set, id, near.objects)
  })

  it('is done once, also when the first process wakes up after the second is done', async () => {
    const { set, near, other, id, running, goOn } = await stuck()
    await using _ = set
    await takeOver(other)
    goOn()
    await running
    await expectDone(set, id, near.objects)
  })

  it('is done once, also when the first process ends while the second works', async () => {
    const { set, near, other, id, running, goOn } = await stuck()
    await using _ = set
    const stores: Ports['stores'] = {
      ...other.stores,
      async get(location, options) {
        goOn()
        await running
        return other.stores.get(location, options)
      },
    }
    await takeOver({ ...other, stores })
    await expectDone(set, id, near.objects)
  })

  it('is done once, also when the first process takes the image after it lost the task', async () => {
    const { set, near, other } = await cluster()
    await using _ = set
    const { id } = await set.image()
    await copyLater(set.ports, id, 'http://x')
    const looked = gate()
    const woken = gate()
    const stores: Ports['stores'] = {
      ...set.ports.stores,
      async getSizeFromBackend(location, options) {
        looked.open()
        await woken.opened
        return set.ports.stores.getSizeFromBackend(location, options)
      },
    }
    const claim = await set.ports.tasks.claim('w', 'copy')
    if (!claim) throw new Error('no copy')
    const first = runTask({ ...frozen(set.ports, woken.opened), stores }, claim)
    await looked.opened
    await vi.advanceTimersByTimeAsync(LEASE_MS)
    const late: Ports['stores'] = {
      ...other.stores,
      async getSizeFromBackend(location, options) {
        woken.open()
        await first
        return other.stores.getSizeFromBackend(location, options)
      },
    }
    await takeOver({ ...other, stores: late })
    await first
    const { status, locations } = await set.get(id)
    expect([status, locations.length]).toEqual(['active', 1])
    expect([...near.objects.keys()]).toEqual([locations[0]?.uri.replace('tiny://', '')])
    expect(await set.ports.tasks.list()).toEqual([])
  })

  it('that kills every process that begins it is given up', async () => {
    const { set, other } = await cluster()
    await using _ = set
    const { id } = await set.image()
    await copyLater(set.ports, id, 'http://x')
    for (let attempt = 1; attempt <= 25; attempt += 1) {
      expect(await set.ports.tasks.claim('w', 'copy')).toMatchObject({ attempt })
      await vi.advanceTimersByTimeAsync(LEASE_MS)
    }
    await takeOver(other)
    expect(await set.get(id)).toMatchObject({ status: 'killed', reason: expect.stringContaining('begun 25 times') })
    expect(await set.ports.tasks.list()).toEqual([])
  })
})

describe('sweep', () => {
  it('leaves alone what somebody works on, and ends what nobody does', async () => {
    const { set, other } = await cluster()
    await using _ = set
    const busy = await set.image()
    const { body, begun, goOn } = halting()
    const uploading = upload(set.ports, busy.id, body, { onFailure: 'kill' })
    await begun
    const lost = await set.image({}, { status: 'saving', writer: 'task.1' })
    await sweep(other, log)
    expect([(await set.get(busy.id)).status, (await set.get(lost.id)).status]).toEqual(['saving', 'killed'])
    goOn()
    expect((await uploading).status).toBe('active')
  })

  it('does not touch what moved on after it looked', async () => {
    await using set = await scene({ a: memory() })
    const { id } = await set.image({}, { status: 'saving', writer: 'task.1' })
    const list: Ports['tasks']['list'] = async () => {
      await set.ports.images.update(id, { status: 'active', writer: undefined })
      return []
    }
    await sweep({ ...set.ports, tasks: { ...set.ports.tasks, list } }, log)
    expect((await set.get(id)).status).toBe('active')
  })
})
