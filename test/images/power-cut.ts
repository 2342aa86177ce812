import { type ByteStream, createStores, type Store, type Stores } from 'mullion'
import { memoryRegistry, memoryTasks, openPolicy, type Ports, silentNotifier } from 'mullion/images'
import { seededBytes } from 'mullion/testkit'
import { gate, tiny, type Tiny } from '../tiny-store.ts'

/** What every image of these tests is made of, and what is to be had at http://x. */
export const content: Uint8Array = seededBytes(18, 300)

/** A power cut: from step `at` on nothing that is asked for is done, and nothing answers. */
export function powerCut(at: number): { readonly died: Promise<void>; readonly step: () => Promise<void> } {
  const { opened: died, open } = gate()
  let steps = 0
  const step = (): Promise<void> => {
    if ((steps += 1) < at) return Promise.resolve()
    open()
    return new Promise(() => {})
  }
  return { died, step }
}

type Async = (...given: never[]) => Promise<unknown>

/** Each function may be cut off before it is done, and after, when only its answer is lost. */
function cut<T extends object>(target: T, step: () => Promise<void>): T {
  const entries = Object.entries(target).map(([name, run]) => {
    const cutting = async (...given: never[]): Promise<unknown> => {
      await step()
      const result = await (run as Async)(...given)
      await step()
      return result
    }
    return [name, cutting]
  })
  return Object.fromEntries(entries) as T
}

export type Disk = Map<string, Uint8Array>

/** A backend on a disk that survives; every step of a write may be the last. */
function backend(scheme: string, disk: Disk, atomic: boolean, step: () => Promise<void>): Tiny['spec'] {
  const write = async (
    key: string,
    body: ByteStream,
    announce: (at: string) => Promise<void>,
  ): Promise<{ at: string }> => {
    if (disk.has(key)) throw new Error(`${key} exists`)
    await announce(key)
    const taken: Uint8Array[] = []
    for await (const chunk of body) {
      await step()
      taken.push(chunk)
      if (!atomic) disk.set(key, Buffer.concat(taken))
    }
    await step()
    disk.set(key, Buffer.concat(taken))
    await step()
    return { at: key }
  }
  const missing = Object.assign(new Error('missing'), { code: 'ENOENT' })
  const find = (key: string): Uint8Array => {
    const bytes = disk.get(key)
    if (!bytes) throw missing
    return bytes
  }
  const functions: Store<string> = {
    read: async (key) => ({ body: new Blob([find(key).slice()]).stream(), size: find(key).byteLength }),
    stat: async (key) => ({ size: find(key).byteLength }),
    write: (key, body, { announce }) => write(key, body, announce),
    async remove(key) {
      await step()
      find(key)
      disk.delete(key)
      await step()
    },
  }
  const classify = (error: unknown) => (error === missing ? ('not_found' as const) : undefined)
  return tiny({ scheme, capabilities: { atomicWrite: atomic }, with: { ...functions }, classify }).spec
}

export type Booted = Ports & { readonly stores: Pick<Stores, 'close'> }

export interface World {
  readonly disk: Disk
  /** Starts a process on it. */
  boot(step: () => Promise<void>): Promise<Booted>
}

/** What outlives a process: the records, the tasks and the disk. */
export function world(atomic: boolean): World {
  const disk: Disk = new Map()
  const far: Disk = new Map([['x', content]])
  const registry = memoryRegistry()
  const tasks = memoryTasks()
  let ids = 0
  async function boot(step: () => Promise<void>): Promise<Booted> {
    const specs = { near: backend('tiny', disk, atomic, step), far: backend('http', far, true, async () => {}) }
    const stores = await createStores({ stores: specs, default: 'near', idleTimeoutMs: 0 })
    return {
      images: cut(registry.images, step),
      members: registry.members,
      tasks: cut(tasks, step),
      worker: 'w',
      stores,
      notifier: silentNotifier,
      policy: openPolicy,
      now: () => new Date(),
      newId: () => `id-${(ids += 1)}`,
    }
  }
  return { disk, boot }
}
