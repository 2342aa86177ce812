import { memory, type StoreMap } from 'mullion'
import { type ImageStores, register, remove, upload } from 'mullion/images'
import { seededBytes } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { failureOf, gate, tiny } from '../tiny-store.ts'
import { type Scene, scene } from './scene.ts'

const content = seededBytes(12, 1000)
const kill = { onFailure: 'kill' } as const

/** How many objects the stores still hold for the id. */
async function held({ ports }: Scene, uri: string): Promise<boolean> {
  return ports.stores.getSizeFromBackend(uri).then(
    () => true,
    () => false,
  )
}

describe('two uploads of one image', () => {
  it.each([2, 5])('have one winner of %i, whose bytes are there; the others leave it alone', async (count) => {
    await using set = await scene()
    const { id } = await set.image()
    const bodies = Array.from({ length: count }, (_, seed) => seededBytes(seed, 100 + seed))
    const results = await Promise.allSettled(bodies.map((body) => upload(set.ports, id, body, kill)))
    const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []))
    expect(winners).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(['conflict', 'invalid_transition']).toContain(result.reason.code)
    }
    expect(await set.get(id)).toMatchObject({ status: 'active', size: 100 + (winners[0] ?? -1) })
    expect(await set.ports.stores.getSizeFromBackend(`memory://${id}`)).toBe(100 + (winners[0] ?? -1))
  })
})

const STORES: readonly (readonly [string, () => StoreMap, string])[] = [
  ['an atomic store', () => ({ a: memory() }), 'memory'],
  ['a store that is not atomic', () => ({ a: tiny().spec }), 'tiny'],
]

describe.each(STORES)('a deletion during an upload to %s', (_what, make, scheme) => {
  /** Deletes at one moment of the upload; answers what the upload rejected with. */
  async function deletedAt(
    moment: string,
  ): Promise<{ readonly set: Scene; readonly error: unknown; readonly uri: string }> {
    const set = await scene(make())
    const { id } = await set.image()
    const { stores } = set.ports
    const at = async (name: string): Promise<void> => {
      if (name === moment) await remove(set.ports, id)
    }
    const slow: ImageStores = {
      ...stores,
      async add(key, source, options) {
        await at('before the store is asked')
        const added = await stores.add(key, source, {
          ...options,
          async onLocation(location) {
            await at('before the place is recorded')
            await options?.onLocation?.(location)
            await at('after the place is recorded')
          },
        })
        await at('after the store committed')
        return added
      },
    }
    const source = async function* (): AsyncGenerator<Uint8Array> {
      await at('before the first byte')
      yield content
      await at('after the last byte')
    }
    const error = await failureOf(upload({ ...set.ports, stores: slow }, id, source, kill))
    return { set, error, uri: `${scheme}://${id}` }
  }

  it.each([
    'before the store is asked',
    'before the place is recorded',
    'after the place is recorded',
    'before the first byte',
    'after the last byte',
    'after the store committed',
  ])('%s: rejects not_found, leaves no data and no announced place', async (moment) => {
    const { set, error, uri } = await deletedAt(moment)
    await using _ = set
    expect(error).toMatchObject({ code: 'not_found', message: expect.stringContaining('deleted during the upload') })
    const [id = ''] = uri.split('://').slice(1)
    expect(await set.get(id)).toMatchObject({ status: 'deleted', locations: [] })
    expect(await held(set, uri)).toBe(false)
    expect(set.events().at(-1)).toBe('upload!')
  })
})

describe('a deletion that meets the end of an upload', () => {
  it('sees the data and removes it, whichever is first', async () => {
    await using set = await scene()
    const { id } = await set.image()
    const { images } = set.ports
    const uploaded = gate()
    const looked = gate()
    const lagging = {
      ...images,
      async get(wanted: string) {
        const image = await images.get(wanted)
        looked.open()
        await uploaded.opened
        return image
      },
    }
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield content
      await looked.opened
    }
    const uploading = upload(set.ports, id, source, kill).finally(uploaded.open)
    while ((await set.get(id)).status !== 'saving') await new Promise(setImmediate)
    const removing = remove({ ...set.ports, images: lagging }, id)
    expect(await uploading).toMatchObject({ status: 'active' })
    expect(await removing).toMatchObject({ status: 'deleted', locations: [] })
    expect(await held(set, `memory://${id}`)).toBe(false)
  })
})

describe('a location that is registered during an upload', () => {
  it('is refused, and the upload goes on', async () => {
    await using set = await scene({ a: memory() })
    const { id } = await set.image()
    await set.ports.stores.add('elsewhere', content)
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield content
      expect(await failureOf(register(set.ports, id, 'memory://elsewhere'))).toMatchObject({
        code: 'invalid_transition',
      })
    }
    expect(await upload(set.ports, id, source, kill)).toMatchObject({
      status: 'active',
      locations: [{ uri: `memory://${id}` }],
    })
  })
})
