import { memory, MullionError } from 'mullion'
import { copyLater, runWorker, type TaskQueue, type WorkerOptions } from 'mullion/images'
import { seededBytes, stallingSource } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { gate, tiny } from '../tiny-store.ts'
import { scene } from './scene.ts'

const content = seededBytes(17, 100)

/** Options of a worker that looks again at once, and its log. */
function worker(over: Partial<WorkerOptions> = {}) {
  const controller = new AbortController()
  const lines: string[] = []
  const log = (message: string, fields: unknown): void => void lines.push(`${message} ${JSON.stringify(fields)}`)
  return {
    controller,
    lines,
    options: { concurrency: 2, pollMs: 1, signal: controller.signal, log, ...over },
  }
}

/** The queue, with a promise that resolves once so many tasks are settled. */
function counting(
  tasks: TaskQueue,
  count: number,
): { readonly tasks: TaskQueue; readonly done: Promise<void>; readonly failures: unknown[] } {
  const { opened, open } = gate()
  const failures: unknown[] = []
  let settled = 0
  return {
    done: opened,
    failures,
    tasks: {
      ...tasks,
      async settle(claim, failure) {
        await tasks.settle(claim, failure)
        if (failure !== undefined) failures.push(failure)
        if ((settled += 1) === count) open()
      },
    },
  }
}

describe('runWorker', () => {
  it('does every task, well or badly, and ends when told to', async () => {
    const far = tiny({ scheme: 'http' })
    far.objects.set('x', content)
    await using set = await scene({ a: memory(), far: far.spec })
    const { tasks, done, failures } = counting(set.ports.tasks, 5)
    const ids = []
    for (const uri of ['http://x', 'http://gone', 'http://x', 'http://x', 'http://x']) {
      const { id } = await set.image()
      ids.push(id)
      await copyLater(set.ports, id, uri)
    }
    const { controller, options, lines } = worker()
    const running = runWorker({ ...set.ports, tasks }, options)
    await done
    controller.abort(new Error('shutting down'))
    await running
    const statuses = await Promise.all(ids.map(async (id) => (await set.get(id)).status))
    expect(statuses).toEqual(['active', 'killed', 'active', 'active', 'active'])
    expect(failures).toEqual([expect.stringContaining('nothing at gone')])
    expect([lines, await set.ports.tasks.list()]).toEqual([[], []])
  })

  it('runs no more tasks at once than it may', async () => {
    const goOn = gate()
    const both = gate()
    let running = 0
    let most = 0
    const far = tiny({
      scheme: 'http',
      with: {
        async stat() {
          running += 1
          most = Math.max(most, running)
          if (running === 2) both.open()
          await goOn.opened
          running -= 1
          return { size: 100 }
        },
      },
    })
    far.objects.set('x', content)
    await using set = await scene({ a: memory(), far: far.spec })
    const { tasks, done } = counting(set.ports.tasks, 5)
    for (let index = 0; index < 5; index += 1) await copyLater(set.ports, (await set.image()).id, 'http://x')
    const { controller, options } = worker()
    const working = runWorker({ ...set.ports, tasks }, options)
    await both.opened
    goOn.open()
    await done
    controller.abort(new Error('shutting down'))
    await working
    expect(most).toBe(2)
  })

  it('interrupts what runs when it is told to end, queues the image again and gives the task back', async () => {
    const source = stallingSource(10)
    const far = tiny({
      scheme: 'http',
      with: { stat: async () => ({ size: 100 }), read: async () => ({ body: source, size: 100 }) },
    })
    await using set = await scene({ a: tiny().spec, far: far.spec })
    const { id } = await set.image()
    await copyLater(set.ports, id, 'http://x')
    const { controller, options, lines } = worker()
    const running = runWorker(set.ports, options)
    await source.stalled
    controller.abort(new Error('shutting down'))
    await running
    expect(await set.get(id)).toMatchObject({ status: 'queued', locations: [] })
    expect(await set.ports.tasks.claim('next', 'copy')).toMatchObject({ task: { imageId: id }, attempt: 2 })
    expect(lines).toEqual([])
  })

  it('outlives a queue that fails, and says so', async () => {
    await using set = await scene({ a: memory() })
    await set.ports.stores.add('x', content)
    const { id } = await set.image()
    await copyLater(set.ports, id, 'memory://x')
    const { tasks, done } = counting(set.ports.tasks, 1)
    let claims = 0
    const flaky: TaskQueue = {
      ...tasks,
      async claim(name, kind) {
        if (kind === 'copy') claims += 1
        if (kind === 'copy' && claims <= 3) throw new MullionError('unavailable', 'queue: down', { details: {} })
        return tasks.claim(name, kind)
      },
    }
    const { controller, options, lines } = worker({ concurrency: 1 })
    const running = runWorker({ ...set.ports, tasks: flaky }, options)
    await done
    controller.abort(new Error('shutting down'))
    await expect(running).resolves.toBeUndefined()
    expect((await set.get(id)).status).toBe('active')
    expect(lines).toEqual(Array(3).fill('task could not be done {"error":"queue: down"}'))
  })

  it('claims nothing when it is told to end before it begins', async () => {
    await using set = await scene()
    const tasks = { ...set.ports.tasks, claim: () => expect.unreachable() }
    const { options } = worker({ signal: AbortSignal.abort(new Error('x')) })
    await runWorker({ ...set.ports, tasks }, options)
  })
})
