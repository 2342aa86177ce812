import { collect } from 'mullion'
import { copyLater, create, type Ports, recover, remove, runTask, runWorker, scrub, upload } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { content, type Disk, powerCut, world } from './power-cut.ts'

const later = new Date(Date.UTC(2040, 0, 1))
const log = (): void => {}

async function* chunks(): AsyncGenerator<Uint8Array> {
  yield content.subarray(0, 100)
  yield content.subarray(100)
}

const SCENARIOS: Readonly<Record<string, (ports: Ports) => Promise<unknown>>> = {
  'an upload': async (ports) => {
    const { id } = await create(ports, {})
    await upload(ports, id, chunks, { onFailure: 'kill' })
  },
  'an upload that fails': async (ports) => {
    const { id } = await create(ports, { checksum: 'wrong' })
    await upload(ports, id, chunks, { onFailure: 'kill' }).catch(() => {})
  },
  'an upload that fails and is sent again': async (ports) => {
    const { id } = await create(ports, {})
    await upload(ports, id, chunks, { onFailure: 'requeue', limit: 150 }).catch(() => {})
    await upload(ports, id, chunks, { onFailure: 'requeue' })
  },
  'a copy': async (ports) => {
    const { id } = await create(ports, {})
    await copyLater(ports, id, 'http://x')
    const claim = await ports.tasks.claim('w', 'copy')
    if (claim) await runTask(ports, claim)
  },
  'a removal': async (ports) => {
    const { id } = await create(ports, {})
    await upload(ports, id, chunks, { onFailure: 'kill' })
    await remove(ports, id)
  },
  'a removal in the middle of an upload': async (ports) => {
    const { id } = await create(ports, {})
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield content
      await remove(ports, id)
    }
    await upload(ports, id, source, { onFailure: 'kill' }).catch(() => {})
  },
  'a delayed removal and its scrubbing': async (ports) => {
    const { id } = await create(ports, {})
    await upload(ports, id, chunks, { onFailure: 'kill' })
    await remove(ports, id, { delayed: true })
    await scrub(ports, { deletedBefore: later, log })
  },
}

/** What the server does when it starts: puts right what was left, does the open tasks, scrubs. */
async function secondLife(ports: Ports): Promise<void> {
  await recover(ports, { log })
  const next = () => ports.tasks.claim('w', 'copy')
  for (let claim = await next(); claim; claim = await next()) await runTask(ports, claim)
  await scrub(ports, { deletedBefore: later, log })
}

async function expectOrder(ports: Ports, disk: Disk): Promise<void> {
  const query = {
    scope: { kind: 'all' },
    filters: {},
    includeDeleted: true,
    sortKey: 'id',
    sortDirection: 'asc',
    limit: 9,
  } as const
  const images = await ports.images.list(query)
  const owned = new Set<string>()
  for (const { id, status, locations } of images) {
    expect(['queued', 'active', 'killed', 'deleted']).toContain(status)
    expect(locations.every((location) => location.status === 'active')).toBe(true)
    expect(locations).toHaveLength(status === 'active' ? 1 : 0)
    if (status !== 'active') continue
    const key = locations[0]?.uri.replace('tiny://', '') ?? id
    owned.add(key)
    expect(Buffer.compare(disk.get(key) ?? new Uint8Array(), content)).toBe(0)
  }
  expect([...disk.keys()].filter((key) => !owned.has(key))).toEqual([])
  expect(await ports.tasks.list()).toEqual([])
}

const dead = async (): Promise<void> => {}

describe.each([true, false])('a power cut (atomic store: %s)', (atomic) => {
  it.each(Object.keys(SCENARIOS))(
    'at any step of %s is put right by the next start: no image in saving, no data without owner',
    async (name) => {
      const scenario = SCENARIOS[name]
      let survived = false
      let at = 1
      for (; !survived; at += 1) {
        const { disk, boot } = world(atomic)
        const { died, step } = powerCut(at)
        const first = await boot(step)
        survived = (await Promise.race([scenario?.(first).then(() => true), died.then(() => false)])) ?? false
        const second = await boot(dead)
        await secondLife(second)
        await expectOrder(second, disk)
        await second.stores.close()
      }
      expect(at).toBeGreaterThan(8)
    },
  )

  it('at any step of putting it right is put right by the one after', async () => {
    let survived = false
    for (let at = 1; !survived; at += 1) {
      const { disk, boot } = world(atomic)
      const cutShort = powerCut(11)
      const first = await boot(cutShort.step)
      await Promise.race([SCENARIOS['a copy']?.(first), SCENARIOS['an upload']?.(first), cutShort.died])
      const { died, step } = powerCut(at)
      survived = await Promise.race([secondLife(await boot(step)).then(() => true), died.then(() => false)])
      const third = await boot(dead)
      await secondLife(third)
      await expectOrder(third, disk)
      await third.stores.close()
    }
  })
})

describe('recover', () => {
  it('says what it did, and leaves alone what is in order', async () => {
    const { disk, boot } = world(false)
    const ports = await boot(dead)
    const saving = await create(ports, {})
    await ports.images.update(saving.id, {
      status: 'saving',
      writer: 'gone.1',
      locations: [{ uri: `tiny://${saving.id}`, metadata: {}, status: 'pending' }],
    })
    disk.set(saving.id, content)
    const active = await create(ports, {})
    await upload(ports, active.id, chunks, { onFailure: 'kill' })
    const queued = await create(ports, {})
    const lines: unknown[] = []
    await recover(ports, { log: (message, fields) => lines.push([message, fields]) })
    expect(lines).toEqual([['the upload of an image was interrupted', { image: saving.id, event: 'kill' }]])
    expect(await ports.images.get(saving.id)).toMatchObject({
      status: 'killed',
      reason: 'the server stopped during the upload',
      locations: [],
    })
    expect((await ports.images.get(active.id)).status).toBe('active')
    expect((await ports.images.get(queued.id)).status).toBe('queued')
    expect(await collect((await ports.stores.get(`tiny://${active.id}`)).body)).toHaveLength(300)
    await ports.stores.close()
  })

  it('goes on when a store is down, and removes the rest at the next start', async () => {
    const { disk, boot } = world(false)
    const ports = await boot(dead)
    const { id } = await create(ports, {})
    await ports.images.update(id, {
      status: 'saving',
      writer: 'gone.1',
      locations: [{ uri: `tiny://${id}`, metadata: {}, status: 'pending' }],
    })
    disk.set(id, content)
    const down = async (): Promise<never> => {
      throw new Error('down')
    }
    const lines: string[] = []
    const broken = { ...ports, stores: { ...ports.stores, delete: down } }
    await recover(broken, { log: (message) => lines.push(message) })
    expect(lines).toContain('data of an interrupted upload could not be removed')
    expect(await ports.images.get(id)).toMatchObject({ status: 'killed', locations: [{ status: 'pending' }] })
    await recover(ports, { log })
    expect([(await ports.images.get(id)).locations, disk.size]).toEqual([[], 0])
    await ports.stores.close()
  })

  it('leaves an interrupted copy to its task, which a worker does again', async () => {
    const { disk, boot } = world(true)
    const ports = await boot(dead)
    const { id } = await create(ports, {})
    await copyLater(ports, id, 'http://x')
    const claim = await ports.tasks.claim('w', 'copy')
    await ports.images.update(id, { status: 'saving', writer: claim?.token })
    await recover(ports, { log })
    expect((await ports.images.get(id)).status).toBe('saving')
    const controller = new AbortController()
    const settle = async (...given: Parameters<typeof ports.tasks.settle>): Promise<void> => {
      await ports.tasks.settle(...given)
      controller.abort(new Error('done'))
    }
    const options = { concurrency: 1, pollMs: 1, signal: controller.signal, log }
    await runWorker({ ...ports, tasks: { ...ports.tasks, settle } }, options)
    expect([(await ports.images.get(id)).status, disk.has(`${id}.2`)]).toEqual(['active', true])
    await ports.stores.close()
  })
})
