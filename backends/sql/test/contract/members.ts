import assert from 'node:assert/strict'
import type { Member } from 'mullion/images'
import { IDS, image, type RegistryCase, rejects } from './ports.ts'

const [ID, OTHER] = IDS

const sorted = (members: readonly Member[]): readonly Member[] =>
  members.toSorted((a, b) => (`${a.imageId} ${a.member}` < `${b.imageId} ${b.member}` ? -1 : 1))

export const memberCases: readonly RegistryCase[] = [
  {
    title: 'finds and lists the members of an image',
    async run({ images, members }) {
      for (const id of [ID, OTHER]) await images.insert(image({ id }))
      await members.put(ID, { member: 'a', canShare: true })
      await members.put(ID, { member: 'b', canShare: false })
      await members.put(OTHER, { member: 'c', canShare: false })
      assert.deepEqual(await members.find(ID, 'a'), { imageId: ID, member: 'a', canShare: true })
      assert.equal(await members.find(OTHER, 'a'), undefined)
      assert.deepEqual(sorted(await members.list(ID)), [
        { imageId: ID, member: 'a', canShare: true },
        { imageId: ID, member: 'b', canShare: false },
      ])
    },
  },
  {
    title: 'changes a member that is there, and leaves what is not said',
    async run({ images, members }) {
      await images.insert(image())
      await members.put(ID, { member: 'a' })
      assert.deepEqual(await members.list(ID), [{ imageId: ID, member: 'a', canShare: false }])
      await members.put(ID, { member: 'a', canShare: true })
      await members.put(ID, { member: 'a' })
      assert.deepEqual(await members.list(ID), [{ imageId: ID, member: 'a', canShare: true }])
      await members.put(ID, { member: 'a', canShare: false })
      assert.deepEqual(await members.list(ID), [{ imageId: ID, member: 'a', canShare: false }])
    },
  },
  {
    title: 'tells members apart by letter case and by blanks',
    async run({ images, members }) {
      await images.insert(image())
      await members.put(ID, { member: 'Guest' })
      for (const other of ['guest', 'Guest ', 'Guést', 'Guest\0', 'Guest\uD800'])
        assert.equal(await members.find(ID, other), undefined)
      await members.put(ID, { member: 'guest ' })
      await members.put(ID, { member: 'guest' })
      assert.equal((await members.list(ID)).length, 3)
    },
  },
  {
    title: 'removes a member once, and takes the member back later',
    async run({ images, members }) {
      await images.insert(image())
      await members.put(ID, { member: 'a', canShare: true })
      await members.remove(ID, 'a')
      assert.equal(await members.find(ID, 'a'), undefined)
      assert.deepEqual(await members.list(ID), [])
      await rejects(members.remove(ID, 'a'), 'not_found')
      await members.put(ID, { member: 'a' })
      assert.deepEqual(await members.list(ID), [{ imageId: ID, member: 'a', canShare: false }])
    },
  },
  {
    title: 'rejects not_found for a member who never was one, and for no image',
    async run({ members }) {
      await rejects(members.remove(ID, 'a'), 'not_found')
      await rejects(members.put(ID, { member: 'a' }), 'not_found')
      await rejects(members.replace(ID, [{ member: 'a' }]), 'not_found')
      await rejects(members.replace(ID, []), 'not_found')
      assert.equal(await members.find(ID, 'a'), undefined)
      assert.deepEqual(await members.list(ID), [])
    },
  },
  {
    title: 'replaces members: some go, some stay as they were, some come or come back',
    async run({ images, members }) {
      for (const id of [ID, OTHER]) await images.insert(image({ id }))
      await members.put(OTHER, { member: 'a' })
      for (const member of ['a', 'b', 'c']) await members.put(ID, { member, canShare: true })
      await members.remove(ID, 'c')
      const drafts = [
        { member: 'b' },
        { member: 'c' },
        { member: 'd', canShare: true },
        { member: 'd', canShare: false },
      ]
      await members.replace(ID, drafts)
      assert.deepEqual(sorted(await members.list(ID)), [
        { imageId: ID, member: 'b', canShare: true },
        { imageId: ID, member: 'c', canShare: false },
        { imageId: ID, member: 'd', canShare: false },
      ])
      await members.replace(ID, [])
      assert.deepEqual(await members.list(ID), [])
      assert.equal((await members.list(OTHER)).length, 1)
    },
  },
  {
    title: 'takes one member whom many add at a time',
    async run({ images, members }) {
      await images.insert(image())
      await Promise.all(Array.from({ length: 6 }, (_, at) => members.put(ID, { member: 'a', canShare: at > 0 })))
      assert.equal((await members.list(ID)).length, 1)
    },
  },
  {
    title: 'is as one of two said who replace all members at a time',
    async run({ images, members }) {
      await images.insert(image())
      const lists = [
        ['a', 'b', 'c'],
        ['c', 'd'],
      ]
      for (let round = 0; round < 5; round += 1) {
        await Promise.all(
          lists.map((list) =>
            members.replace(
              ID,
              list.map((member) => ({ member })),
            ),
          ),
        )
        const now = (await members.list(ID)).map(({ member }) => member).toSorted()
        assert.ok(
          lists.some((list) => list.join() === now.join()),
          now.join(),
        )
      }
    },
  },
  {
    title: 'lists what is shared with one, but for images that are deleted',
    async run({ images, members }) {
      for (const id of IDS) await images.insert(image({ id }))
      for (const id of IDS) await members.put(id, { member: 'a', canShare: id === OTHER })
      await members.put(ID, { member: 'A' })
      await members.remove(IDS[2], 'a')
      await images.update(IDS[3], { status: 'deleted' })
      assert.deepEqual(sorted(await members.sharedWith('a')), [
        { imageId: ID, member: 'a', canShare: false },
        { imageId: OTHER, member: 'a', canShare: true },
      ])
      assert.deepEqual(await members.sharedWith('nobody\0'), [])
    },
  },
  {
    title: 'lists what is shared with one in the images of one owner',
    async run({ images, members }) {
      for (const [at, id] of IDS.entries()) await images.insert(image({ id, owner: at < 2 ? 'mine' : undefined }))
      for (const id of [IDS[0], IDS[2]]) await members.put(id, { member: 'a' })
      assert.deepEqual(await members.sharedWith('a', { ownedBy: 'mine' }), [
        { imageId: ID, member: 'a', canShare: false },
      ])
      assert.deepEqual(await members.sharedWith('a', { ownedBy: 'Mine' }), [])
    },
  },
  {
    title: 'adds no more members than it may, and changes those that are there',
    async run({ images, members }) {
      await images.insert(image())
      for (const member of ['a', 'b']) await members.put(ID, { member }, { limit: 2 })
      await rejects(members.put(ID, { member: 'c' }, { limit: 2 }), 'quota_exceeded', { size: 3, remaining: 0 })
      await members.put(ID, { member: 'b', canShare: true }, { limit: 2 })
      assert.deepEqual(
        sorted(await members.list(ID)).map(({ member, canShare }) => [member, canShare]),
        [
          ['a', false],
          ['b', true],
        ],
      )
    },
  },
]
