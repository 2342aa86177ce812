import assert from 'node:assert/strict'
import type { Task } from 'mullion/images'
import { IDS, type RegistryCase } from './ports.ts'

const task = (id: string, changes: Partial<Task> = {}): Task => ({
  kind: 'copy',
  id,
  imageId: IDS[0],
  uri: `https://user:secret@host/${id}`,
  store: undefined,
  ...changes,
})

export const taskCases: readonly RegistryCase[] = [
  {
    title: 'hands tasks out oldest first and once, as they were put in',
    async run({ tasks }) {
      const all = [task('z'), task('a', { store: 'cold', imageId: IDS[1] }), task('m')]
      for (const one of all) await tasks.enqueue(one)
      for (const one of all) assert.deepEqual(await tasks.claim('w'), one)
      assert.equal(await tasks.claim('w'), undefined)
    },
  },
  {
    title: 'never gives one task to two workers',
    async run({ tasks }) {
      for (let count = 0; count < 5; count += 1) await tasks.enqueue(task(`t${count}`))
      const claimed = await Promise.all(Array.from({ length: 8 }, (_, worker) => tasks.claim(`w${worker}`)))
      const ids = claimed.flatMap((one) => one?.id ?? []).toSorted()
      assert.deepEqual(ids, ['t0', 't1', 't2', 't3', 't4'])
    },
  },
  {
    title: 'forgets what was settled, well or badly',
    async run({ tasks }) {
      for (const id of ['a', 'b', 'c']) await tasks.enqueue(task(id))
      await tasks.claim('w')
      await tasks.claim('w')
      await tasks.settle('a')
      await tasks.settle('b', 'the source is gone')
      await tasks.release('w')
      assert.equal((await tasks.claim('w'))?.id, 'c')
      assert.equal(await tasks.claim('w'), undefined)
    },
  },
  {
    title: 'gives back what one worker held, in its old place',
    async run({ tasks }) {
      for (const id of ['a', 'b', 'c']) await tasks.enqueue(task(id))
      await tasks.claim('dead')
      await tasks.claim('alive')
      await tasks.release('dead')
      assert.deepEqual(await tasks.claim('new'), task('a'))
      assert.equal((await tasks.claim('new'))?.id, 'c')
      assert.equal(await tasks.claim('new'), undefined)
    },
  },
  {
    title: 'names the images of tasks that wait or run',
    async run({ tasks }) {
      await tasks.enqueue(task('a', { imageId: IDS[0] }))
      await tasks.enqueue(task('b', { imageId: IDS[1] }))
      await tasks.enqueue(task('c', { imageId: IDS[1] }))
      await tasks.enqueue(task('d', { imageId: IDS[2] }))
      await tasks.claim('w')
      assert.deepEqual(await tasks.openImageIds(), new Set([IDS[0], IDS[1], IDS[2]]))
      await tasks.settle('a')
      await tasks.settle('b', 'failed')
      assert.deepEqual(await tasks.openImageIds(), new Set([IDS[1], IDS[2]]))
    },
  },
  {
    title: 'has nothing to do when it is new',
    async run({ tasks }) {
      assert.equal(await tasks.claim('w'), undefined)
      assert.deepEqual(await tasks.openImageIds(), new Set())
      await tasks.release('w')
    },
  },
]
