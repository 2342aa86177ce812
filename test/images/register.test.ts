import { memory } from 'mullion'
import { register } from 'mullion/images'
import { seededBytes } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { failureOf, tiny } from '../tiny-store.ts'
import { scene, STATUSES } from './scene.ts'

const content = seededBytes(14, 1000)

describe('register', () => {
  it('makes the image active with data that stays where it is', async () => {
    const far = tiny({ scheme: 'http' })
    far.objects.set('x', content)
    await using set = await scene({ a: memory(), far: far.spec })
    const { id } = await set.image({ checksum: 'as the creator sent it' })
    expect(await register(set.ports, id, 'http://x')).toMatchObject({
      status: 'active',
      size: 1000,
      checksum: 'as the creator sent it',
      locations: [{ uri: 'http://x', metadata: { store: 'far' }, status: 'active' }],
    })
    expect(far.calls).toEqual(['stat'])
    expect(set.events()).toEqual(['activate', 'update'])
  })

  it.each<readonly [string, number | undefined, number | undefined, number | undefined | 'refused']>([
    ['nobody knows', undefined, undefined, undefined],
    ['only the store knows', undefined, 1000, 1000],
    ['only the record knows', 7, undefined, 7],
    ['both know the same', 1000, 1000, 1000],
    ['both know another', 7, 1000, 'refused'],
    ['the object is empty', undefined, 0, 0],
    ['the object is empty and should not be', 7, 0, 'refused'],
    ['the record says 0, which claims nothing', 0, 1000, 1000],
  ])('size: %s', async (_what, recorded, actual, size) => {
    await using set = await scene({ a: tiny({ with: { stat: async () => ({ size: actual }) } }).spec })
    const { id } = await set.image(recorded === undefined ? {} : { size: recorded })
    if (size === 'refused') {
      const error = await failureOf(register(set.ports, id, 'tiny://x'))
      expect(error).toMatchObject({ code: 'size_mismatch', details: { expected: recorded, actual } })
      expect(await set.get(id)).toMatchObject({ status: 'queued', locations: [] })
    } else {
      expect((await register(set.ports, id, 'tiny://x')).size).toBe(size)
    }
  })

  it.each(STATUSES.filter((status) => status !== 'queued'))(
    'refuses an image that is %s, without asking the store',
    async (status) => {
      const { spec, calls } = tiny()
      await using set = await scene({ a: spec })
      const { id } = await set.image({}, { status })
      expect(await failureOf(register(set.ports, id, 'tiny://x'))).toMatchObject({ code: 'invalid_transition' })
      expect([(await set.get(id)).status, calls]).toEqual([status, []])
    },
  )

  it.each([
    ['tiny://gone', 'not_found'],
    ['ftp://x', 'unknown_scheme'],
    ['tiny://!', 'invalid_location'],
    ['x', 'invalid_location'],
  ])('leaves the image queued when %s is refused with %s', async (uri, code) => {
    await using set = await scene({ a: tiny().spec })
    const { id } = await set.image()
    expect(await failureOf(register(set.ports, id, uri))).toMatchObject({ code })
    expect((await set.get(id)).status).toBe('queued')
    expect(set.events()).toEqual([])
  })

  it('does not forget a place that still awaits its removal', async () => {
    const { spec, objects } = tiny()
    objects.set('x', content)
    await using set = await scene({ a: spec })
    const left = { uri: 'tiny://left', metadata: {}, status: 'pending' } as const
    const { id } = await set.image({}, { locations: [left] })
    expect((await register(set.ports, id, 'tiny://x')).locations).toMatchObject([
      left,
      { uri: 'tiny://x', status: 'active' },
    ])
  })
})
