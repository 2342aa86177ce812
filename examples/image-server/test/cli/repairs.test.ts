import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { file } from '@mullion/file'
import { createStores } from 'mullion'
import {
  type Image,
  type ImageLocation,
  memoryRegistry,
  memoryTasks,
  openPolicy,
  type Ports,
  silentNotifier,
} from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Diagnosis, Finding, Repair } from '../../src/cli/doctor/findings.ts'
import { createInventory } from '../../src/cli/doctor/inventory.ts'
import { examineUnnamed, takeInventory } from '../../src/cli/doctor/objects.ts'
import { endStalled, removeAnnounced } from '../../src/cli/doctor/repairs.ts'
import { temporaryDirectory } from './command-line.ts'
import { LONG_AGO, oldImage } from './images.ts'

interface Scene {
  readonly run: Diagnosis
  readonly images: Ports['images']
  readonly put: (key: string, status?: ImageLocation['status']) => Promise<ImageLocation>
  readonly files: () => Promise<readonly string[]>
}

/** A run over one directory. `report` has each finding with its repair; `onDelete` comes right before data goes. */
async function scene(
  report: (finding: Finding, repair: Repair | undefined) => Promise<void> = async () => {},
  onDelete: () => Promise<unknown> = async () => {},
): Promise<Scene> {
  const dir = join(await temporaryDirectory(), 'images')
  await mkdir(dir)
  const specs = { file: file({ dir }) }
  const opened = await createStores({ stores: specs, default: 'file' })
  onTestFinished(() => opened.close())
  const stores: Diagnosis['stores'] = {
    ...opened,
    async delete(...asked) {
      await onDelete()
      return opened.delete(...asked)
    },
  }
  const { images, members } = memoryRegistry()
  const ports = { images, members, stores, tasks: memoryTasks(), worker: 'doctor', notifier: silentNotifier }
  return {
    images,
    run: {
      ports: { ...ports, policy: openPolicy, now: () => new Date(), newId: () => crypto.randomUUID() },
      stores,
      specs,
      failed: new Map(),
      wanted: new Set(['file']),
      named: () => false,
      storesNamed: false,
      startedAt: new Date(),
      graceMs: 0,
      partialAgeMs: 0,
      scrubMs: 0,
      lanes: 1,
      signal: new AbortController().signal,
      report,
      say: () => {},
      progress: () => {},
    },
    async put(key, status = 'pending') {
      const path = join(dir, key)
      await writeFile(path, 'data')
      await utimes(path, LONG_AGO, LONG_AGO)
      return { uri: `file://${path}`, metadata: { store: 'file' }, status }
    },
    files: () => readdir(dir),
  }
}

/** An image with an announced place, whose data is there. */
async function announcing({ images, put }: Scene, rest: Partial<Image>): Promise<Image> {
  const image = oldImage({}, rest)
  return images.insert({ ...image, locations: [await put(image.id)] })
}

describe('the repair of an image that nobody brings data to', () => {
  it('takes the image from its writer before data goes: a late word of that writer changes nothing', async () => {
    let late: Promise<unknown> = Promise.resolve('nothing was deleted')
    const made: Scene = await scene(undefined, async () => {
      const locations = image.locations.map((location) => ({ ...location, status: 'active' }) as const)
      const patch = { status: 'active', writer: undefined, locations } as const
      late = made.images.update(image.id, patch, { status: ['saving'], writer: 'task.1' })
      await late.catch(() => {})
    })
    const image = await announcing(made, { status: 'saving', writer: 'task.1' })
    expect(await endStalled(made.run, image.id)).toBeUndefined()
    await expect(late).rejects.toMatchObject({ code: 'conflict' })
    expect(await made.images.get(image.id)).toMatchObject({ status: 'killed', writer: undefined, locations: [] })
    expect(await made.files()).toEqual([])
  })

  it.each(['uploading', 'importing'] as const)(
    'queues one in %s, and leaves its data to the next attempt',
    async (status) => {
      const made = await scene()
      const image = await announcing(made, { status })
      expect(await endStalled(made.run, image.id)).toBeUndefined()
      expect(await made.images.get(image.id)).toMatchObject({ status: 'queued', locations: image.locations })
      expect(await made.files()).toEqual([image.id])
    },
  )

  it('says so when the data cannot be removed, and keeps its place in the record', async () => {
    const made = await scene(undefined, async () => {
      throw new Error('the disk is on fire')
    })
    const { id } = await announcing(made, { status: 'saving', writer: 'task.1' })
    expect(await endStalled(made.run, id)).toContain('could not be removed')
    expect(await made.images.get(id)).toMatchObject({ status: 'killed', locations: [{ status: 'pending' }] })
  })
})

describe('the repair of what was announced', () => {
  it.each(['queued', 'saving', 'uploading', 'importing', 'active', 'deactivated'] as const)(
    'leaves an image in %s alone: its data may come, or be there',
    async (status) => {
      const made = await scene()
      const image = await announcing(made, { status })
      expect(await removeAnnounced(made.run, image.id)).toBe('it changed meanwhile')
      expect(await made.files()).toEqual([image.id])
      expect(await made.images.get(image.id)).toMatchObject({ locations: image.locations })
    },
  )

  it.each(['killed', 'deleted'] as const)('removes it from an image that is %s', async (status) => {
    const made = await scene()
    const { id } = await announcing(made, { status })
    expect(await removeAnnounced(made.run, id)).toBeUndefined()
    expect(await made.files()).toEqual([])
    expect(await made.images.get(id)).toMatchObject({ locations: [] })
  })
})

describe('the removal of data that no record names', () => {
  it('asks the records before each removal, however short ago it asked', async () => {
    const refusals: (string | undefined)[] = []
    const made = await scene(async (finding, repair) => {
      refusals.push(await repair?.())
      const image = oldImage({}, { status: 'active' })
      for (const name of ['first', 'second']) {
        if (finding.location?.endsWith(name)) continue
        const location = {
          uri: finding.location?.replace(/[^/]*$/, name) ?? '',
          metadata: {},
          status: 'active',
        } as const
        await made.images.insert({ ...image, updatedAt: new Date(), locations: [location] })
      }
    })
    await made.images.insert({ ...oldImage(), status: 'active', locations: [await made.put('named', 'active')] })
    await made.put('first')
    await made.put('second')
    using inventory = createInventory()
    await takeInventory(made.run, inventory)
    for (const { locations } of await all(made)) inventory.name(locations[0]?.uri ?? '', 'named')
    await examineUnnamed(made.run, inventory, 0)
    expect(refusals).toEqual([undefined, 'a record names it by now'])
    expect(await made.files()).toHaveLength(2)
  })
})

function all({ images }: Scene): Promise<readonly Image[]> {
  const scope = { kind: 'all' } as const
  return images.list({ scope, filters: {}, includeDeleted: true, sortKey: 'id', sortDirection: 'asc', limit: 10 })
}
