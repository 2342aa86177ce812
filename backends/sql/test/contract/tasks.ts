import assert from 'node:assert/strict'
import type { CopyTask, UploadTask } from 'mullion/images'
import { IDS, LEASE_MS, type RegistryCase, rejects } from './ports.ts'

const task = (id: string, changes: Partial<CopyTask> = {}): CopyTask => ({
  kind: 'copy',
  id,
  imageId: IDS[0],
  uri: `https://user:secret@host/${id}`,
  store: undefined,
  ...changes,
})

const UPLOAD: UploadTask = { kind: 'upload', id: 'u', imageId: IDS[1], onFailure: 'requeue' }

export const taskCases: readonly RegistryCase[] = [
  {
    title: 'hands tasks out oldest first and once, as they were put in',
    async run({ tasks }) {
      const all = [task('z'), task('a', { store: 'cold', imageId: IDS[1] }), task('m')]
      for (const one of all) await tasks.enqueue(one)
      for (const one of all) {
        const claim = await tasks.claim('w', 'copy')
        assert.deepEqual(claim?.task, one)
        assert.deepEqual([claim?.worker, claim?.attempt, claim?.leaseMs], ['w', 1, LEASE_MS])
      }
      assert.equal(await tasks.claim('w', 'copy'), undefined)
    },
  },
  {
    title: 'hands out tasks of the kind that is asked for',
    async run({ tasks }) {
      await tasks.enqueue(UPLOAD)
      await tasks.enqueue(task('a'))
      assert.deepEqual((await tasks.claim('w', 'copy'))?.task, task('a'))
      assert.equal(await tasks.claim('w', 'copy'), undefined)
      assert.deepEqual((await tasks.claim('w', 'upload'))?.task, UPLOAD)
    },
  },
  {
    title: 'refuses the id of another task, also of one that is held or over',
    async run({ tasks }) {
      await tasks.enqueue(task('a'))
      await rejects(tasks.enqueue(task('a')), 'already_exists', { key: 'a' })
      await rejects(tasks.begin(task('a'), 'w'), 'already_exists')
      const claim = await tasks.claim('w', 'copy')
      assert.ok(claim)
      await tasks.settle(claim)
      await rejects(tasks.enqueue(task('a')), 'already_exists')
    },
  },
  {
    title: 'never gives one task to two workers',
    async run({ tasks }) {
      for (let count = 0; count < 5; count += 1) await tasks.enqueue(task(`t${count}`))
      const claimed = await Promise.all(Array.from({ length: 8 }, (_, worker) => tasks.claim(`w${worker}`, 'copy')))
      const ids = claimed.flatMap((one) => one?.task.id ?? []).toSorted()
      assert.deepEqual(ids, ['t0', 't1', 't2', 't3', 't4'])
    },
  },
  {
    title: 'holds a task from the start for who begins it',
    async run({ tasks, clock }) {
      const claim = await tasks.begin(UPLOAD, 'w')
      assert.deepEqual([claim.task, claim.worker, claim.attempt, claim.leaseMs], [UPLOAD, 'w', 1, LEASE_MS])
      assert.equal(await tasks.claim('x', 'upload'), undefined)
      clock.advance(LEASE_MS)
      const next = await tasks.claim('x', 'upload')
      assert.deepEqual([next?.task, next?.attempt], [UPLOAD, 2])
      assert.notEqual(next?.token, claim.token)
    },
  },
  {
    title: 'gives a task whose lease ran out to the next, and no sooner',
    async run({ tasks, clock }) {
      await tasks.enqueue(task('a'))
      const first = await tasks.claim('w', 'copy')
      clock.advance(LEASE_MS - 1)
      assert.equal(await tasks.claim('w', 'copy'), undefined)
      clock.advance(1)
      const second = await tasks.claim('x', 'copy')
      assert.deepEqual([second?.task, second?.worker, second?.attempt], [task('a'), 'x', 2])
      assert.notEqual(second?.token, first?.token)
      assert.equal(await tasks.claim('y', 'copy'), undefined)
    },
  },
  {
    title: 'gives one task whose lease ran out to one of many who ask',
    async run({ tasks, clock }) {
      for (const id of ['a', 'b']) await tasks.begin(task(id), 'dead')
      clock.advance(LEASE_MS)
      const claimed = await Promise.all(Array.from({ length: 6 }, (_, worker) => tasks.claim(`w${worker}`, 'copy')))
      assert.deepEqual(claimed.flatMap((one) => one?.task.id ?? []).toSorted(), ['a', 'b'])
    },
  },
  {
    title: 'holds a task as long as the lease is renewed',
    async run({ tasks, clock }) {
      const claim = await tasks.begin(UPLOAD, 'w')
      for (let round = 0; round < 3; round += 1) {
        clock.advance(LEASE_MS - 1)
        await tasks.renew(claim)
        assert.equal(await tasks.claim('x', 'upload'), undefined)
      }
      clock.advance(LEASE_MS)
      await tasks.renew(claim) // late, but nobody came
      assert.equal(await tasks.claim('x', 'upload'), undefined)
    },
  },
  {
    title: 'refuses whatever a lost claim says, and changes nothing',
    async run({ tasks, clock }) {
      const lost = await tasks.begin(UPLOAD, 'w')
      clock.advance(LEASE_MS)
      const claim = await tasks.claim('w', 'upload')
      assert.ok(claim)
      const before = await tasks.list()
      clock.advance(1)
      await rejects(tasks.renew(lost), 'conflict')
      await rejects(tasks.settle(lost), 'conflict')
      await rejects(tasks.settle(lost, 'failed'), 'conflict')
      await tasks.giveBack(lost)
      assert.deepEqual(await tasks.list(), before)
      await tasks.settle(claim)
      for (const gone of [lost, claim]) {
        await rejects(tasks.renew(gone), 'conflict')
        await rejects(tasks.settle(gone), 'conflict')
        await tasks.giveBack(gone)
      }
      assert.deepEqual(await tasks.list(), [])
    },
  },
  {
    title: 'forgets what was settled, well or badly',
    async run({ tasks, clock }) {
      for (const id of ['a', 'b', 'c']) await tasks.enqueue(task(id))
      const [first, second] = [await tasks.claim('w', 'copy'), await tasks.claim('w', 'copy')]
      assert.ok(first && second)
      await tasks.settle(first)
      await tasks.settle(second, 'the source is gone\0')
      await tasks.release('w')
      clock.advance(LEASE_MS)
      assert.equal((await tasks.claim('w', 'copy'))?.task.id, 'c')
      assert.equal(await tasks.claim('w', 'copy'), undefined)
    },
  },
  {
    title: 'lets another do what was given back, in its old place',
    async run({ tasks }) {
      for (const id of ['a', 'b', 'c']) await tasks.enqueue(task(id))
      const first = await tasks.claim('w', 'copy')
      await tasks.claim('w', 'copy')
      assert.ok(first)
      await tasks.giveBack(first)
      await rejects(tasks.renew(first), 'conflict')
      const again = await tasks.claim('x', 'copy')
      assert.deepEqual([again?.task.id, again?.attempt], ['a', 2])
      assert.equal((await tasks.claim('x', 'copy'))?.task.id, 'c')
    },
  },
  {
    title: 'gives back what one worker held, in its old place',
    async run({ tasks }) {
      for (const id of ['a', 'b', 'c']) await tasks.enqueue(task(id))
      await tasks.claim('dead', 'copy')
      await tasks.claim('alive', 'copy')
      await tasks.release('dead')
      assert.deepEqual((await tasks.claim('new', 'copy'))?.task, task('a'))
      assert.equal((await tasks.claim('new', 'copy'))?.task.id, 'c')
      assert.equal(await tasks.claim('new', 'copy'), undefined)
    },
  },
  {
    title: 'lists the tasks that wait or run, and who holds them until when',
    async run({ tasks, clock }) {
      for (const id of ['a', 'b', 'c']) await tasks.enqueue(task(id))
      const claim = await tasks.claim('w', 'copy')
      assert.ok(claim)
      const upload = await tasks.begin(UPLOAD, 'v')
      const [first, second, third, fourth] = await tasks.list()
      assert.deepEqual([first?.id, first?.kind, first?.imageId, first?.attempts], ['a', 'copy', IDS[0], 1])
      assert.deepEqual([first?.held?.worker, first?.held?.token, first?.held?.expired], ['w', claim.token, false])
      assert.deepEqual([second?.id, second?.attempts, second?.held], ['b', 0, undefined])
      assert.equal(third?.id, 'c')
      assert.deepEqual([fourth?.kind, fourth?.held?.token], ['upload', upload.token])
      assert.deepEqual(first?.createdAt, clock.now())
      assert.deepEqual(first?.held?.until, new Date(clock.now().getTime() + LEASE_MS))
      await tasks.settle(claim)
      clock.advance(LEASE_MS)
      assert.deepEqual(
        (await tasks.list()).map(({ id, held }) => [id, held?.expired]),
        [
          ['b', undefined],
          ['c', undefined],
          ['u', true],
        ],
      )
    },
  },
  {
    title: 'has nothing to do when it is new',
    async run({ tasks }) {
      assert.equal(await tasks.claim('w', 'copy'), undefined)
      assert.deepEqual(await tasks.list(), [])
      await tasks.release('w')
    },
  },
]
