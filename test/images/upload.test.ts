import { createHash } from 'node:crypto'
import { collect, memory, MullionError } from 'mullion'
import { type ImageStores, openData, upload } from 'mullion/images'
import { failingSource, seededBytes, stallingSource } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { failureOf, tiny } from '../tiny-store.ts'
import { scene } from './scene.ts'

const content = seededBytes(11, 1000)
const hex = (name: string): string => createHash(name).update(content).digest('hex')
const kill = { onFailure: 'kill' } as const
const requeue = { onFailure: 'requeue' } as const

describe('upload', () => {
  it('makes the image active with what it measured, and the bytes readable', async () => {
    await using set = await scene()
    const { id } = await set.image({ name: 'n' })
    const active = await upload(set.ports, id, content, kill)
    expect(active).toMatchObject({
      status: 'active',
      size: 1000,
      checksum: hex('md5'),
      hashAlgorithm: 'sha512',
      hashValue: hex('sha512'),
      locations: [{ uri: `memory://${id}`, metadata: { store: 'a' }, status: 'active' }],
    })
    expect(await set.get(id)).toEqual(active)
    expect(Buffer.compare(await collect((await openData(set.ports, active)).body), content)).toBe(0)
  })

  it('says what happened in the order Images v1 promises', async () => {
    await using set = await scene()
    const { id } = await set.image()
    await upload(set.ports, id, content, kill)
    expect(set.notices.map(({ event, image }) => [event, image.status, image.size])).toEqual([
      ['prepare', 'queued', undefined],
      ['upload', 'saving', 1000],
      ['activate', 'active', 1000],
      ['update', 'active', 1000],
    ])
    expect(JSON.stringify(set.notices)).not.toContain('memory://')
  })

  it('goes to the store that was asked for, with the digest that was asked for', async () => {
    await using set = await scene({ a: memory(), b: memory() })
    const { id } = await set.image()
    const { locations, ...image } = await upload(set.ports, id, content, {
      ...kill,
      store: 'b',
      hashAlgorithm: 'sha256',
    })
    expect(locations).toMatchObject([{ metadata: { store: 'b' } }])
    expect(image).toMatchObject({ hashAlgorithm: 'sha256', hashValue: hex('sha256') })
  })

  it.each([
    ['the size in the record', { size: 999 }, {}, 'size_mismatch'],
    ['the checksum in the record', { checksum: hex('md5').toUpperCase() }, {}, 'hash_mismatch'],
    ['the announced size', {}, { size: 1001 }, 'size_mismatch'],
    ['an announced size other than the record has', { size: 1000 }, { size: 999 }, 'size_mismatch'],
    ['the limit', {}, { limit: 999 }, 'too_large'],
    ['a known store', {}, { store: 'z' }, 'invalid_argument'],
  ])('refuses data that breaks %s, and keeps nothing of it', async (_what, draft, options, code) => {
    await using set = await scene()
    const { id } = await set.image(draft)
    expect(await failureOf(upload(set.ports, id, content, { ...kill, ...options }))).toMatchObject({ code })
    expect(await set.get(id)).toMatchObject({ status: 'killed', locations: [], reason: expect.any(String), ...draft })
    expect(set.events()).toEqual(['prepare', 'upload!'])
    expect(await failureOf(set.ports.stores.getSizeFromBackend(`memory://${id}`))).toMatchObject({ code: 'not_found' })
  })

  it('does not compare with a recorded size of 0, and takes what is as recorded', async () => {
    await using set = await scene()
    const empty = await set.image({ size: 0 })
    expect(await upload(set.ports, empty.id, content, kill)).toMatchObject({ size: 1000 })
    const exact = await set.image({ size: 1000, checksum: hex('md5') })
    expect(await upload(set.ports, exact.id, content, kill)).toMatchObject({ status: 'active' })
  })

  it('kills for good, or lets data be sent again', async () => {
    await using set = await scene()
    const failure = new Error('the client left')
    const one = await set.image()
    expect(await failureOf(upload(set.ports, one.id, failingSource(failure, 10), kill))).toBe(failure)
    expect(await set.get(one.id)).toMatchObject({ status: 'killed', reason: 'the client left' })
    expect(await failureOf(upload(set.ports, one.id, content, kill))).toMatchObject({ code: 'invalid_transition' })
    const two = await set.image()
    expect(await failureOf(upload(set.ports, two.id, failingSource(failure, 10), requeue))).toBe(failure)
    expect(await set.get(two.id)).toMatchObject({ status: 'queued' })
    expect(await upload(set.ports, two.id, content, requeue)).toMatchObject({ status: 'active', reason: undefined })
  })

  it('lets an abort be told from a failure', async () => {
    await using set = await scene()
    const reason = new Error('shutting down')
    const controller = new AbortController()
    const { id } = await set.image()
    const source = stallingSource(10)
    const uploading = failureOf(
      upload(set.ports, id, source, { ...kill, onAbort: 'requeue', signal: controller.signal }),
    )
    await source.stalled
    controller.abort(reason)
    expect(await uploading).toBe(reason)
    expect(await set.get(id)).toMatchObject({ status: 'queued', locations: [] })
  })

  it.each(['saving', 'active', 'killed', 'deactivated', 'pending_delete', 'deleted'] as const)(
    'refuses an image that is %s, and leaves it alone',
    async (status) => {
      await using set = await scene()
      const { id } = await set.image({}, { status })
      expect(await failureOf(upload(set.ports, id, content, kill))).toMatchObject({ code: 'invalid_transition' })
      expect((await set.get(id)).status).toBe(status)
      expect(set.events()).toEqual([])
    },
  )

  it('never replaces data that is there already, nor deletes it, and leaves the image as it was', async () => {
    const { spec, objects } = tiny()
    await using set = await scene({ a: spec })
    const { id } = await set.image()
    objects.set(id, content.subarray(0, 5))
    expect(await failureOf(upload(set.ports, id, content, kill))).toMatchObject({ code: 'already_exists' })
    expect(objects.get(id)).toHaveLength(5)
    expect(await set.get(id)).toMatchObject({ status: 'queued', locations: [] })
  })
})

describe('a place that was announced', () => {
  const busy = new MullionError('unavailable', 'busy', { details: {}, retryable: false })
  const stubborn = () => {
    const state = { refuses: true }
    const made = tiny({
      with: {
        async remove(key) {
          if (state.refuses) throw busy
          made.objects.delete(key)
        },
      },
    })
    return { ...made, state }
  }

  it('is recorded as pending before anything is there', async () => {
    const { spec, objects } = tiny()
    await using set = await scene({ a: spec })
    const { id } = await set.image()
    const seen: unknown[] = []
    const source = async function* (): AsyncGenerator<Uint8Array> {
      seen.push((await set.get(id)).locations)
      yield content
    }
    await upload(set.ports, id, source, kill)
    expect(seen).toEqual([[{ uri: `tiny://${id}`, metadata: { store: 'a' }, status: 'pending' }]])
    expect(objects.size).toBe(1)
  })

  it.each([new Error('the client left'), new MullionError('conflict', 'x', { details: { expected: 'x' } })])(
    'stays recorded when what is there cannot be removed after: %s',
    async (failure) => {
      const { spec, objects } = stubborn()
      await using set = await scene({ a: spec })
      const { id } = await set.image()
      expect(await failureOf(upload(set.ports, id, failingSource(failure, 10), kill))).toBe(failure)
      expect(objects.size).toBe(1)
      expect(await set.get(id)).toMatchObject({
        status: 'killed',
        locations: [{ uri: `tiny://${id}`, status: 'pending' }],
      })
    },
  )

  it('is cleared by the next upload, so that nothing stands in its way', async () => {
    const { spec, objects, state } = stubborn()
    await using set = await scene({ a: spec })
    const { id } = await set.image()
    await failureOf(upload(set.ports, id, failingSource(new Error('the client left'), 10), requeue))
    state.refuses = false
    expect(await upload(set.ports, id, content, requeue)).toMatchObject({
      status: 'active',
      locations: [{ status: 'active' }],
    })
    expect(objects.get(id)).toHaveLength(1000)
  })

  it('is forgotten when the failure removed what was there', async () => {
    const { spec, objects } = tiny()
    await using set = await scene({ a: spec })
    const { id } = await set.image()
    await failureOf(upload(set.ports, id, failingSource(new Error('x'), 10), kill))
    expect([objects.size, (await set.get(id)).locations]).toEqual([0, []])
  })
})

describe('an upload whose record cannot be written', () => {
  it('takes its data back when the registry fails at the end', async () => {
    await using set = await scene()
    const { id } = await set.image()
    const { images } = set.ports
    const failing = {
      ...images,
      async update(...given: Parameters<typeof images.update>) {
        if (given[1].status === 'active') throw new MullionError('unavailable', 'registry: down', { details: {} })
        return images.update(...given)
      },
    }
    expect(await failureOf(upload({ ...set.ports, images: failing }, id, content, kill))).toMatchObject({
      code: 'unavailable',
    })
    expect(await set.get(id)).toMatchObject({ status: 'killed', locations: [] })
    expect(await failureOf(set.ports.stores.getSizeFromBackend(`memory://${id}`))).toMatchObject({ code: 'not_found' })
  })

  it('keeps the data of an image that did become active although the answer was lost', async () => {
    await using set = await scene()
    const { id } = await set.image()
    const { images } = set.ports
    const losing = {
      ...images,
      async update(...given: Parameters<typeof images.update>) {
        const image = await images.update(...given)
        if (given[1].status === 'active')
          throw new MullionError('unavailable', 'registry: connection lost', { details: {} })
        return image
      },
    }
    expect(await upload({ ...set.ports, images: losing }, id, content, kill)).toMatchObject({ status: 'active' })
    expect(await collect((await openData(set.ports, await set.get(id))).body)).toHaveLength(1000)
  })

  it('needs of the stores no more than the port says', async () => {
    await using set = await scene()
    const {
      add,
      get,
      delete: remove,
      getKnownSchemes,
      getStoreFromLocation,
      getSizeFromBackend,
      setAcls,
    } = set.ports.stores
    const stores: ImageStores = {
      add,
      get,
      delete: remove,
      getKnownSchemes,
      getStoreFromLocation,
      getSizeFromBackend,
      setAcls,
    }
    const { id } = await set.image()
    expect(await upload({ ...set.ports, stores }, id, content, kill)).toMatchObject({ status: 'active' })
  })
})
