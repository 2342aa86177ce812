import { memory, MullionError } from 'mullion'
import { type Image, remove, scrub, upload } from 'mullion/images'
import { seededBytes } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { failureOf, tiny } from '../tiny-store.ts'
import { type Scene, scene, STATUSES } from './scene.ts'

const content = seededBytes(15, 100)
const log = (): void => {}
const later = new Date(Date.UTC(2030, 0, 1))

async function active(set: Scene): Promise<Image> {
  const { id } = await set.image({ owner: 'o', properties: new Map([['k', 'v']]), tags: ['t'] })
  const image = await upload(set.ports, id, content, { onFailure: 'kill' })
  set.notices.length = 0
  return image
}

const down = new MullionError('unavailable', 'tiny: down', { details: {}, retryable: false })

describe('remove', () => {
  it('deletes the data and the record, which stays as a trace', async () => {
    const { spec, objects } = tiny()
    await using set = await scene({ a: spec })
    const { id } = await active(set)
    const removed = await remove(set.ports, id)
    expect(removed).toMatchObject({
      status: 'deleted',
      locations: [],
      deletedAt: expect.any(Date),
      tags: [],
      size: 100,
    })
    expect([removed.properties.size, objects.size]).toEqual([0, 0])
    expect(await set.get(id)).toEqual(removed)
  })

  it('says so with the image as it was, and its new status', async () => {
    await using set = await scene()
    const { id } = await active(set)
    await remove(set.ports, id)
    expect(set.notices).toMatchObject([
      { event: 'delete', image: { status: 'deleted', deletedAt: undefined, tags: ['t'] } },
    ])
  })

  it('makes the data unreachable before it deletes it', async () => {
    const seen: unknown[] = []
    const made = tiny({
      with: {
        async remove(key) {
          const { status, locations } = await set.get(key)
          seen.push([status, locations.map((location) => location.status)])
          made.objects.delete(key)
        },
      },
    })
    await using set: Scene = await scene({ a: made.spec })
    const { id } = await active(set)
    await remove(set.ports, id)
    expect(seen).toEqual([['pending_delete', ['pending_delete']]])
  })

  it.each(STATUSES)('of an image without data that is %s', async (status) => {
    await using set = await scene()
    const { id } = await set.image({}, { status })
    for (const delayed of [true, false]) {
      const before = (await set.get(id)).status
      const removing = remove(set.ports, id, { delayed })
      if (before === 'deleted') expect(await failureOf(removing)).toMatchObject({ code: 'invalid_transition' })
      else expect(await removing).toMatchObject({ status: 'deleted' })
    }
  })

  it('refuses a protected image and leaves everything as it is', async () => {
    await using set = await scene()
    const { id } = await active(set)
    await set.ports.images.update(id, { protected: true })
    expect(await failureOf(remove(set.ports, id))).toMatchObject({
      code: 'permission_denied',
      message: `image ${id}: is protected`,
    })
    expect((await set.get(id)).status).toBe('active')
    expect(set.events()).toEqual([])
  })

  it.each(['in_use', 'permission_denied'] as const)('takes everything back when the store says %s', async (code) => {
    const refuse = async (): Promise<never> => {
      throw new MullionError(code, 'tiny: a clone depends on it', { details: { location: 'x' } })
    }
    await using set = await scene({ a: tiny({ with: { remove: refuse } }).spec })
    const before = await active(set)
    expect(await failureOf(remove(set.ports, before.id))).toMatchObject({ code })
    const { updatedAt: _now, ...after } = await set.get(before.id)
    const { updatedAt: _then, ...expected } = before
    expect(after).toEqual(expected)
    expect(set.events()).toEqual([])
  })

  it('takes back only the locations whose data is still there', async () => {
    const made = tiny({
      with: {
        async remove(key) {
          if (key === 'b')
            throw new MullionError('in_use', 'tiny: a clone depends on it', { details: { location: 'b' } })
          made.objects.delete(key)
        },
      },
    })
    for (const key of ['a', 'b', 'c']) made.objects.set(key, content)
    await using set = await scene({ near: made.spec })
    const locations = ['a', 'b', 'c'].map((key) => ({ uri: `tiny://${key}`, metadata: {}, status: 'active' }) as const)
    const { id } = await set.image({}, { status: 'active', locations })
    expect(await failureOf(remove(set.ports, id))).toMatchObject({ code: 'in_use' })
    expect(await set.get(id)).toMatchObject({ status: 'active', locations: locations.slice(1) })
  })

  it('does not take the deletion back when the store may yet carry it out', async () => {
    const late: (() => void)[] = []
    const made = tiny({
      with: {
        async remove(key) {
          if (late.length > 0) return
          late.push(() => made.objects.delete(key)) // the request is on its way, only its answer is lost
          throw down
        },
      },
    })
    await using set = await scene({ a: made.spec })
    const { id } = await active(set)
    expect(await failureOf(remove(set.ports, id))).toMatchObject({ code: 'unavailable' })
    for (const happen of late) happen()
    expect(await set.get(id)).toMatchObject({ status: 'pending_delete' })
    expect(await scrub(set.ports, { deletedBefore: later, log })).toBe(1)
    expect(await set.get(id)).toMatchObject({ status: 'deleted', locations: [], writer: undefined })
  })

  it('does not take the deletion back when a scrubber has begun to remove the data', async () => {
    const refusing = new MullionError('in_use', 'tiny: a clone depends on it', { details: { location: 'x' } })
    let calls = 0
    const made = tiny({
      with: {
        async remove(key) {
          calls += 1
          if (calls > 1) return void made.objects.delete(key)
          await scrub(set.ports, { deletedBefore: later, log })
          throw refusing
        },
      },
    })
    await using set = await scene({ a: made.spec })
    const { id } = await active(set)
    expect(await failureOf(remove(set.ports, id))).toMatchObject({ code: 'in_use' })
    expect([(await set.get(id)).status, made.objects.size]).toEqual(['deleted', 0])
  })

  it('leaves to the scrubber what cannot be removed now, and may be gone', async () => {
    const state = { down: true }
    const made = tiny({
      with: {
        async remove(key) {
          if (state.down) throw down
          made.objects.delete(key)
        },
        stat: async () => Promise.reject(down),
      },
    })
    await using set = await scene({ a: made.spec })
    const { id } = await active(set)
    expect(await failureOf(remove(set.ports, id))).toMatchObject({ code: 'unavailable' })
    expect(await set.get(id)).toMatchObject({ status: 'pending_delete', locations: [{ status: 'pending_delete' }] })
    const lines: string[] = []
    expect(await scrub(set.ports, { deletedBefore: later, log: (message) => lines.push(message) })).toBe(0)
    expect(lines).toEqual(['data of a deleted image could not be removed'])
    state.down = false
    expect(await scrub(set.ports, { deletedBefore: later, log })).toBe(1)
    expect([await set.get(id), made.objects.size]).toMatchObject([{ status: 'deleted', locations: [] }, 0])
  })

  it.each(['data that is gone already', 'a store that cannot delete'])('does not stumble over %s', async (what) => {
    const { spec, objects } = tiny(what.startsWith('data') ? {} : { with: { remove: undefined } })
    objects.set('x', content)
    await using set = await scene({ a: spec })
    const location = { uri: 'tiny://x', metadata: {}, status: 'active' } as const
    const { id } = await set.image({}, { status: 'active', locations: [location] })
    if (what.startsWith('data')) objects.clear()
    expect(await remove(set.ports, id)).toMatchObject({ status: 'deleted', locations: [] })
  })

  it('of a deactivated image never makes it active again', async () => {
    const { spec, objects } = tiny()
    await using set = await scene({ a: spec })
    const { id } = await active(set)
    await set.ports.images.update(id, { status: 'deactivated' })
    expect(await remove(set.ports, id, { delayed: true })).toMatchObject({
      status: 'deleted',
      locations: [{ status: 'pending_delete' }],
    })
    expect(objects.size).toBe(1)
    expect(await scrub(set.ports, { deletedBefore: later, log })).toBe(1)
    expect([(await set.get(id)).locations, objects.size]).toEqual([[], 0])
  })

  it('is a success for the one that asked when the scrubber was faster', async () => {
    const made = tiny({
      with: {
        async remove(key) {
          made.objects.delete(key)
          const [image] = [await set.get(key)]
          if (image?.status === 'pending_delete')
            await set.ports.images.update(key, { status: 'deleted', locations: [] })
        },
      },
    })
    await using set: Scene = await scene({ a: made.spec })
    const { id } = await active(set)
    expect(await remove(set.ports, id)).toMatchObject({ status: 'deleted', locations: [] })
  })
})

describe('a delayed removal', () => {
  it('keeps the data until the scrubber comes, and not a moment after its time', async () => {
    const { spec, objects } = tiny()
    await using set = await scene({ a: spec })
    const { id } = await active(set)
    const { deletedAt = later, status } = await remove(set.ports, id, { delayed: true })
    expect([status, objects.size]).toEqual(['pending_delete', 1])
    expect(set.notices).toMatchObject([{ event: 'delete', image: { status: 'pending_delete' } }])
    expect(await scrub(set.ports, { deletedBefore: new Date(deletedAt.getTime() - 1), log })).toBe(0)
    expect(objects.size).toBe(1)
    expect(await scrub(set.ports, { deletedBefore: deletedAt, log })).toBe(1)
    expect([(await set.get(id)).status, objects.size]).toEqual(['deleted', 0])
    expect(await scrub(set.ports, { deletedBefore: later, log })).toBe(0)
  })

  it('of many images is scrubbed page by page, without missing one', async () => {
    await using set = await scene({ a: memory() })
    for (let index = 0; index < 250; index += 1) {
      const { id } = await set.image({ id: `i${index}` })
      await set.ports.stores.add(id, content, { hashes: [] })
      const location = { uri: `memory://${id}`, metadata: {}, status: 'pending_delete' } as const
      await set.ports.images.update(id, { status: 'pending_delete', deletedAt: set.ports.now(), locations: [location] })
    }
    expect(await scrub(set.ports, { deletedBefore: later, log })).toBe(250)
  })

  it('is left alone by a scrubber that was told to stop', async () => {
    await using set = await scene()
    const { id } = await active(set)
    await remove(set.ports, id, { delayed: true })
    expect(await scrub(set.ports, { deletedBefore: later, log, signal: AbortSignal.abort() })).toBe(0)
    expect((await set.get(id)).status).toBe('pending_delete')
  })
})
