import { type Actor, canChange, canSee, newImage } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { scene } from './scene.ts'

const actor = (owner: string | undefined, admin = false): Actor => ({
  tenant: undefined,
  user: 'u',
  owner,
  roles: [],
  admin,
  readOnly: false,
})
const image = (draft: Parameters<typeof newImage>[0]) => newImage(draft, new Date(0), () => 'i')

describe('canSee', () => {
  it.each([
    ['what has no owner', image({}), 'x', true],
    ['what is public', image({ owner: 'o', visibility: 'public' }), undefined, true],
    ['its own', image({ owner: 'o' }), 'o', true],
    ['what is shared with it', image({ owner: 'o' }), 'm', true],
    ['what is not', image({ owner: 'o' }), 'x', false],
    ['what is not, as nobody', image({ owner: 'o' }), undefined, false],
    ['its own when it is deleted', { ...image({ owner: 'o' }), deletedAt: new Date(0) }, 'o', false],
    ['what is public when it is deleted', { ...image({ visibility: 'public' }), deletedAt: new Date(0) }, 'x', false],
  ])('%s', async (_what, seen, owner, expected) => {
    await using set = await scene()
    await set.ports.images.insert(image({}))
    await set.ports.members.put('i', { member: 'm', canShare: false })
    expect(await canSee(set.ports, actor(owner), seen)).toBe(expected)
    expect(await canSee(set.ports, actor(owner, true), seen)).toBe(true)
  })

  it('ends for a member at once when it is removed', async () => {
    await using set = await scene()
    await set.ports.images.insert(image({}))
    await set.ports.members.put('i', { member: 'm', canShare: false })
    await set.ports.members.remove('i', 'm')
    expect(await canSee(set.ports, actor('m'), image({ owner: 'o' }))).toBe(false)
  })
})

describe('canChange', () => {
  it.each([
    ['its own', 'o', 'o', true],
    ['that of another', 'o', 'x', false],
    ['what has no owner', undefined, undefined, false],
    ['what has an owner, as nobody', 'o', undefined, false],
  ])('%s', (_what, owner, who, expected) => {
    const changed = image(owner === undefined ? {} : { owner })
    expect(canChange(actor(who), changed)).toBe(expected)
    expect(canChange(actor(who, true), changed)).toBe(true)
  })
})
