import { create, newImage, publicImage, reserve, updateImage } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { failureOf } from '../tiny-store.ts'
import { scene, START } from './scene.ts'

describe('newImage', () => {
  const now = new Date(START)

  it('starts queued, private and unprotected, with nothing known', () => {
    expect(newImage({}, now, () => 'new')).toMatchObject({
      id: 'new',
      status: 'queued',
      visibility: 'private',
      protected: false,
      size: undefined,
      minDisk: 0,
      minRam: 0,
      tags: [],
      locations: [],
      createdAt: now,
      updatedAt: now,
      deletedAt: undefined,
    })
  })

  it('takes what the creator chose, and nothing that is not a choice', () => {
    const draft = { id: 'mine', name: 'n', size: 0, status: 'active', locations: [{}], deletedAt: now, reason: 'x' }
    const image = newImage(draft, now, () => expect.unreachable())
    expect(image).toMatchObject({
      id: 'mine',
      name: 'n',
      size: 0,
      status: 'queued',
      locations: [],
      deletedAt: undefined,
      reason: undefined,
    })
  })
})

describe('publicImage', () => {
  it('has neither locations nor the reason', () => {
    const image = { ...newImage({ name: 'n' }, new Date(START), () => 'x'), reason: 'why' }
    const shown = publicImage(image)
    expect(Object.keys(shown)).not.toEqual(expect.arrayContaining(['locations']))
    expect(Object.keys(shown)).not.toEqual(expect.arrayContaining(['reason']))
    expect(shown).toMatchObject({ id: 'x', name: 'n' })
  })
})

describe('create', () => {
  it('records a queued image and says so', async () => {
    await using set = await scene()
    const image = await create(set.ports, { name: 'n' })
    expect(image).toMatchObject({ id: 'id-1', name: 'n', status: 'queued' })
    expect(set.notices).toMatchObject([{ event: 'create', image: { id: 'id-1', status: 'queued' } }])
  })

  it.each(['5D1C4BC0-0000-4000-8000-000000000000', '5d1c4bc0000040008000000000000000'])(
    'refuses the twin %s of an id, also of a deleted image',
    async (twin) => {
      await using set = await scene()
      const { id } = await create(set.ports, { id: '5d1c4bc0-0000-4000-8000-000000000000' })
      await set.ports.images.update(id, { status: 'deleted' })
      for (const taken of [id, twin]) {
        expect(await failureOf(create(set.ports, { id: taken }))).toMatchObject({
          code: 'already_exists',
          details: { key: taken },
        })
      }
      expect(set.events()).toEqual(['create'])
    },
  )
})

describe('reserve', () => {
  it('makes an empty image active at once, and leaves every other queued', async () => {
    await using set = await scene()
    expect(await reserve(set.ports, { size: 0 })).toMatchObject({ status: 'active', size: 0, locations: [] })
    expect(await reserve(set.ports, { size: 1 })).toMatchObject({ status: 'queued' })
    expect(await reserve(set.ports, {})).toMatchObject({ status: 'queued' })
    expect(set.events()).toEqual(['create', 'create', 'create'])
  })
})

describe('updateImage', () => {
  it('changes what the patch names and clears what it sets to undefined', async () => {
    await using set = await scene()
    const { id } = await set.image({
      name: 'old',
      owner: 'o',
      properties: new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    })
    await updateImage(set.ports, id, { name: undefined, properties: { set: new Map([['b', null]]), purge: false } })
    const kept = await set.get(id)
    expect(kept).toMatchObject({ name: undefined, owner: 'o' })
    expect([...kept.properties]).toEqual([
      ['a', '1'],
      ['b', null],
    ])
    const purged = await updateImage(set.ports, id, { properties: { set: new Map([['c', '3']]), purge: true } })
    expect([...purged.properties]).toEqual([['c', '3']])
    expect(purged.updatedAt > kept.updatedAt).toBe(true)
    expect(set.events()).toEqual(['update', 'update'])
  })

  it('rejects not_found and tells nobody', async () => {
    await using set = await scene()
    expect(await failureOf(updateImage(set.ports, 'x', { name: 'n' }))).toMatchObject({ code: 'not_found' })
    expect(set.events()).toEqual([])
  })
})
