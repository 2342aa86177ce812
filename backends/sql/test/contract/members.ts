import assert from 'node:assert/strict'
import { IDS, image, type RegistryCase, rejects } from './ports.ts'

const [ID, OTHER] = IDS

export const memberCases: readonly RegistryCase[] = [
  {
    title: 'finds and lists the members of an image',
    async run({ images, members }) {
      for (const id of [ID, OTHER]) await images.insert(image({ id }))
      await members.put({ imageId: ID, member: 'a', canShare: true })
      await members.put({ imageId: ID, member: 'b', canShare: false })
      await members.put({ imageId: OTHER, member: 'c', canShare: false })
      assert.deepEqual(await members.find(ID, 'a'), { imageId: ID, member: 'a', canShare: true })
      assert.equal(await members.find(OTHER, 'a'), undefined)
      const listed = (await members.list(ID)).toSorted((x, y) => (x.member < y.member ? -1 : 1))
      assert.deepEqual(listed, [
        { imageId: ID, member: 'a', canShare: true },
        { imageId: ID, member: 'b', canShare: false },
      ])
    },
  },
  {
    title: 'changes a member that is there',
    async run({ images, members }) {
      await images.insert(image())
      await members.put({ imageId: ID, member: 'a', canShare: false })
      await members.put({ imageId: ID, member: 'a', canShare: true })
      assert.deepEqual(await members.list(ID), [{ imageId: ID, member: 'a', canShare: true }])
    },
  },
  {
    title: 'tells members apart by letter case',
    async run({ images, members }) {
      await images.insert(image())
      await members.put({ imageId: ID, member: 'Guest', canShare: false })
      assert.equal(await members.find(ID, 'guest'), undefined)
    },
  },
  {
    title: 'removes a member once, and takes the member back later',
    async run({ images, members }) {
      await images.insert(image())
      await members.put({ imageId: ID, member: 'a', canShare: true })
      await members.remove(ID, 'a')
      assert.equal(await members.find(ID, 'a'), undefined)
      assert.deepEqual(await members.list(ID), [])
      await rejects(members.remove(ID, 'a'), 'not_found')
      await members.put({ imageId: ID, member: 'a', canShare: false })
      assert.deepEqual(await members.list(ID), [{ imageId: ID, member: 'a', canShare: false }])
    },
  },
  {
    title: 'rejects not_found for a member who never was one',
    async run({ members }) {
      await rejects(members.remove(ID, 'a'), 'not_found')
      assert.equal(await members.find(ID, 'a'), undefined)
      assert.deepEqual(await members.list(ID), [])
    },
  },
]
