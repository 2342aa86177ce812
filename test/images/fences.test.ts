import { MullionError } from 'mullion'
import { copyLater, type Ports, recover, remove, runTask, sweep, upload } from 'mullion/images'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { failureOf } from '../tiny-store.ts'
import { cluster, content, frozen, halting, LEASE_MS, log, takeOverUpload } from './cluster.ts'

afterEach(() => void vi.useRealTimers())

describe('an upload whose end crosses with that of whoever takes it for dead', () => {
  /** Ends the upload of another process, which activates the image at one moment of that. */
  async function crossing(moment: 'after the image was read' | 'before its data is removed') {
    const { set, near, other } = await cluster()
    const { id } = await set.image()
    const { body, begun, goOn } = halting()
    const uploading = upload(frozen(set.ports), id, body, { onFailure: 'kill' }).catch((error: unknown) => error)
    await begun
    await vi.advanceTimersByTimeAsync(LEASE_MS)
    const finish = async (): Promise<void> => {
      goOn()
      await uploading
    }
    const ports: Ports = {
      ...other,
      images: {
        ...other.images,
        async get(wanted) {
          const image = await other.images.get(wanted)
          if (moment === 'after the image was read') await finish()
          return image
        },
      },
      stores: {
        ...other.stores,
        async delete(location, options) {
          if (moment === 'before its data is removed') await finish()
          return other.stores.delete(location, options)
        },
      },
    }
    await takeOverUpload(ports)
    return { set, near, id }
  }

  it('keeps its data when it was first', async () => {
    const { set, near, id } = await crossing('after the image was read')
    await using _ = set
    expect(await set.get(id)).toMatchObject({
      status: 'active',
      locations: [{ uri: `tiny://${id}`, status: 'active' }],
    })
    expect(Buffer.compare(near.objects.get(id) ?? new Uint8Array(), content)).toBe(0)
  })

  it('leaves nothing when it was second', async () => {
    const { set, near, id } = await crossing('before its data is removed')
    await using _ = set
    expect(await set.get(id)).toMatchObject({ status: 'killed', locations: [] })
    expect(near.objects.size).toBe(0)
  })
})

describe('an upload that cannot tell whether it was recorded', () => {
  it('removes nothing when the record came true after all, and everything when it did not', async () => {
    for (const late of [true, false]) {
      const { set, near } = await cluster()
      await using _ = set
      const { id } = await set.image()
      const { images } = set.ports
      const commit: (() => Promise<unknown>)[] = []
      const update: typeof images.update = async (wanted, patch, expected) => {
        if (patch.status === 'active') {
          if (late) commit.push(() => images.update(wanted, patch, expected))
          throw new MullionError('unavailable', 'the connection was lost', { details: {} })
        }
        for (const run of commit.splice(0)) await run() // it reaches the database before whatever comes next
        return images.update(wanted, patch, expected)
      }
      await failureOf(upload({ ...set.ports, images: { ...images, update } }, id, content, { onFailure: 'kill' }))
      expect([(await set.get(id)).status, near.objects.has(id)]).toEqual(late ? ['active', true] : ['killed', false])
      vi.useRealTimers()
    }
  })
})

describe('a copy whose two holders change at the same moment', () => {
  it('is neither lost nor killed when the first gives up while the second takes over', async () => {
    const { set, near, other } = await cluster()
    await using _ = set
    const { id } = await set.image()
    await copyLater(set.ports, id, 'http://x')
    const first = await set.ports.tasks.claim('w', 'copy')
    await set.ports.images.update(id, { status: 'saving', writer: first?.token })
    await vi.advanceTimersByTimeAsync(LEASE_MS)
    let looks = 0
    const get: Ports['images']['get'] = async (wanted) => {
      const image = await other.images.get(wanted)
      looks += 1
      if (looks === 1) await other.images.update(id, { status: 'queued', writer: undefined }) // the first has just given up
      return image
    }
    const claim = await other.tasks.claim('other', 'copy')
    if (!claim) throw new Error('no copy to take over')
    await runTask({ ...other, images: { ...other.images, get } }, claim)
    expect([(await set.get(id)).status, near.objects.size]).toEqual(['active', 1])
  })

  it('is given back when the records cannot be reached, and killed when the source cannot', async () => {
    const { set } = await cluster()
    await using _ = set
    const away = async (): Promise<never> => {
      throw new MullionError('unavailable', 'the database is away', { details: {} })
    }
    const { id } = await set.image()
    await copyLater(set.ports, id, 'http://x')
    const claim = await set.ports.tasks.claim('w', 'copy')
    if (!claim) throw new Error('no copy')
    await runTask({ ...set.ports, images: { ...set.ports.images, update: away } }, claim)
    expect((await set.get(id)).status).toBe('queued')
    expect(await set.ports.tasks.list()).toMatchObject([{ imageId: id, held: undefined }])
    const lost = await set.image()
    await copyLater(set.ports, lost.id, 'http://gone')
    for (let next = await set.ports.tasks.claim('w', 'copy'); next; next = await set.ports.tasks.claim('w', 'copy')) {
      await runTask(set.ports, next)
    }
    expect([(await set.get(id)).status, (await set.get(lost.id)).status]).toEqual(['active', 'killed'])
  })
})

describe('sweep', () => {
  it('leaves the place of an upload alone whose image was deleted, until the upload is over', async () => {
    const { set, near, other } = await cluster()
    await using _ = set
    const { id } = await set.image()
    const { body, begun, goOn } = halting()
    const uploading = failureOf(upload(set.ports, id, body, { onFailure: 'kill' }))
    await begun
    await remove(set.ports, id)
    await sweep(other, log)
    expect((await set.get(id)).locations).toMatchObject([{ status: 'pending' }])
    goOn()
    expect(await uploading).toMatchObject({ code: 'not_found' })
    expect([(await set.get(id)).locations, near.objects.size]).toEqual([[], 0])
  })

  it('never removes what lies where data of the image is', async () => {
    const { set, near } = await cluster()
    await using _ = set
    const { id } = await set.image()
    const active = await upload(set.ports, id, content, { onFailure: 'kill' })
    const [place] = active.locations
    if (!place) throw new Error('no data')
    await set.ports.images.update(id, { locations: [place, { ...place, status: 'pending' }] })
    await sweep(set.ports, log)
    expect([(await set.get(id)).locations.length, near.objects.has(id)]).toEqual([1, true])
  })

  it('lets an image alone for an hour whose data comes from something that knows no writers', async () => {
    const { set, near } = await cluster()
    await using _ = set
    const { id } = await set.image({}, { status: 'saving' })
    await sweep(set.ports, log)
    expect((await set.get(id)).status).toBe('saving')
    await sweep({ ...set.ports, now: () => new Date(Date.UTC(2040, 0, 1)) }, log)
    expect([(await set.get(id)).status, near.objects.size]).toEqual(['killed', 0])
  })
})

it('an upload removes no data that the image has already', async () => {
  const { set, near } = await cluster()
  await using _ = set
  near.objects.set('kept', content)
  const kept = { uri: 'tiny://kept', metadata: { store: 'near' }, status: 'active' } as const
  const { id } = await set.image({}, { locations: [kept] })
  expect(await failureOf(upload(set.ports, id, content, { onFailure: 'requeue' }))).toMatchObject({ code: 'conflict' })
  expect([(await set.get(id)).locations, [...near.objects.keys()]]).toEqual([[kept], ['kept']])
})

it('one image that cannot be written keeps no other from being swept, nor the start', async () => {
  const { set } = await cluster()
  await using _ = set
  const { images } = set.ports
  const broken = await set.image({}, { status: 'saving', writer: 'gone.1' })
  const other = await set.image({}, { status: 'saving', writer: 'gone.2' })
  const update: typeof images.update = async (id, ...rest) => {
    if (id === broken.id) throw new MullionError('invalid_config', 'no key', { details: { plugin: 'x', issues: [] } })
    return images.update(id, ...rest)
  }
  const lines: string[] = []
  await recover({ ...set.ports, images: { ...images, update } }, { log: (message) => lines.push(message) })
  expect([(await set.get(broken.id)).status, (await set.get(other.id)).status]).toEqual(['saving', 'killed'])
  expect(lines).toContain('an interrupted upload could not be cleaned up')
})
