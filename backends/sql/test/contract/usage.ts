import assert from 'node:assert/strict'
import type { ImageLocation } from 'mullion/images'
import { IDS, image, type RegistryCase } from './ports.ts'

const [ID, ...OTHERS] = IDS
const DATA: ImageLocation = { uri: 'file:///images/1', metadata: {}, status: 'active' }
const COPY: ImageLocation = { uri: 's3://user:secret@bucket/1', metadata: {}, status: 'active' }

export const usageCases: readonly RegistryCase[] = [
  {
    title: 'sums up what an owner has stored: each location of images that are not gone, unless it is pending',
    async run({ images }) {
      const [second, third, fourth] = OTHERS
      assert.equal(await images.usage('me'), 0)
      await images.insert(image({ owner: 'me', size: 2 ** 52, locations: [DATA, COPY] }))
      await images.insert(image({ id: second, owner: 'me', size: 7, locations: [{ ...DATA, status: 'pending' }] }))
      await images.insert(image({ id: third, owner: 'me', locations: [DATA] }))
      await images.insert(image({ id: fourth, owner: 'Me', size: 5, locations: [DATA] }))
      assert.equal(await images.usage('me'), 2 ** 53)
      assert.equal(await images.usage('me', { except: ID }), 0)
      assert.equal(await images.usage('me', { except: fourth }), 2 ** 53)
      await images.update(ID, { size: 100, locations: [{ ...DATA, status: 'pending_delete' }] })
      assert.equal(await images.usage('me'), 100)
      for (const status of ['killed', 'deleted'] as const) {
        await images.update(ID, { status })
        assert.equal(await images.usage('me'), 0)
      }
      assert.equal(await images.usage('Me'), 5)
    },
  },
]
