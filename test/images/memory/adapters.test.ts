import { memoryTasks, openPolicy, silentNotifier, type Task } from 'mullion/images'
import { describe, expect, it } from 'vitest'

const task = (id: string): Task => ({ kind: 'copy', id, imageId: `image-${id}`, uri: 'http://x', store: undefined })

describe('memoryTasks', () => {
  it('hands each task to one worker, the oldest first', async () => {
    const tasks = memoryTasks()
    for (const id of ['1', '2', '3']) await tasks.enqueue(task(id))
    expect((await Promise.all([tasks.claim('a'), tasks.claim('b'), tasks.claim('a')])).map((held) => held?.id)).toEqual(
      ['1', '2', '3'],
    )
    expect(await tasks.claim('a')).toBeUndefined()
  })

  it('gives back what one worker held and nothing of another', async () => {
    const tasks = memoryTasks()
    for (const id of ['1', '2']) await tasks.enqueue(task(id))
    await tasks.claim('a')
    await tasks.claim('b')
    await tasks.release('a')
    expect((await tasks.claim('c'))?.id).toBe('1')
    expect(await tasks.claim('c')).toBeUndefined()
  })

  it('knows which images have an open task until it is settled', async () => {
    const tasks = memoryTasks()
    await tasks.enqueue(task('1'))
    await tasks.claim('a')
    expect(await tasks.openImageIds()).toEqual(new Set(['image-1']))
    await tasks.settle('1', 'it failed')
    expect(await tasks.openImageIds()).toEqual(new Set())
    await tasks.release('a')
    expect(await tasks.claim('a')).toBeUndefined()
  })
})

describe('the adapters that do nothing', () => {
  it('allow everything and tell nobody', async () => {
    await expect(
      openPolicy.enforce('delete_image', {
        user: undefined,
        owner: undefined,
        roles: [],
        admin: false,
        readOnly: true,
      }),
    ).resolves.toBeUndefined()
    expect(silentNotifier.notify('create', {} as never)).toBeUndefined()
  })
})
