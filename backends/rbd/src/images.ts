import type { Dependents, NewImage, Opened, Place } from './calls.ts'
import { type Cluster, EINVAL, ENOENT, ifTooSmall, terminated } from './cluster.ts'
import { NativeError } from './librbd.ts'
import { SNAPSHOT } from './location.ts'
import type { SpareBuffers } from './spare.ts'
import { nonZeroRuns } from './sparse.ts'

interface OpenImage {
  readonly image: bigint
  /** Calls under way; an image must not be closed below them. */
  readonly busy: Set<Promise<unknown>>
}

// rbd/librbd.h
const OPTION_FEATURES = 1
const OPTION_ORDER = 2
/** Image metadata. */
const MARK = 'mullion_removing'

/** The open images of the process, by numbers: a wrong one is an error here, where a wrong pointer is a crash. */
export class Images {
  readonly #cluster: Cluster
  readonly #buffers: SpareBuffers
  readonly #open = new Map<number, OpenImage>()
  /** Created here and neither renamed nor removed: nobody else knows them. */
  readonly #drafts = new Map<string, Place & { readonly image: string }>()
  #lastHandle = 0

  constructor(cluster: Cluster, buffers: SpareBuffers) {
    this.#cluster = cluster
    this.#buffers = buffers
  }

  async create({ image, size, order, features, ...place }: Place & NewImage): Promise<void> {
    const { lib } = this.#cluster
    const io = await this.#cluster.pool(place)
    const created: [bigint | null] = [null]
    lib.rbd_image_options_create(created)
    const [options] = created
    try {
      lib.rbd_image_options_set_uint64(options, OPTION_ORDER, order)
      if (features !== undefined) lib.rbd_image_options_set_uint64(options, OPTION_FEATURES, features)
      await lib.rbd_create4(io, image, size, options)
      this.#drafts.set(image, { ...place, image })
    } finally {
      lib.rbd_image_options_destroy(options)
    }
  }

  async rename({ image, to, ...place }: Place & { readonly image: string; readonly to: string }): Promise<void> {
    await this.#cluster.lib.rbd_rename(await this.#cluster.pool(place), image, to)
    this.#drafts.delete(image)
  }

  async remove({ image, ...place }: Place & { readonly image: string }): Promise<void> {
    await this.#cluster.lib.rbd_remove(await this.#cluster.pool(place), image)
    this.#drafts.delete(image)
  }

  async open(name: string, snapshot: string | undefined, watch: boolean, place: Place): Promise<Opened> {
    const { lib } = this.#cluster
    const io = await this.#cluster.pool(place)
    const opened: [bigint | null] = [null]
    const open = watch ? lib.rbd_open : lib.rbd_open_read_only
    await open(io, name, opened, snapshot ?? null)
    const [image] = opened
    if (image === null) throw new Error('rbd_open answered no image')
    const handle = ++this.#lastHandle
    this.#open.set(handle, { image, busy: new Set() })
    try {
      return { handle, ...(await this.#facts(image, snapshot)) }
    } catch (error) {
      await this.close(handle)
      throw error
    }
  }

  async close(handle: number): Promise<void> {
    const open = this.#open.get(handle)
    if (!open) return
    this.#open.delete(handle)
    await Promise.allSettled(open.busy)
    await this.#cluster.lib.rbd_close(open.image)
  }

  async closeAll(): Promise<void> {
    await Promise.allSettled([...this.#open.keys()].map((handle) => this.close(handle)))
  }

  /** Whether something would be left behind by an end without warning. */
  get busy(): boolean {
    return this.#open.size > 0 || this.#drafts.size > 0
  }

  /** Removes the images that were being uploaded when the service vanished. All images have to be closed. */
  async removeDrafts(): Promise<void> {
    for (const draft of this.#drafts.values()) {
      await this.#removeDraft(draft).catch(() => {}) // the next start of the service tries again
    }
  }

  async #removeDraft({ image, ...place }: Place & { readonly image: string }): Promise<void> {
    const { handle } = await this.open(image, undefined, true, place)
    try {
      await this.unprotect(handle, SNAPSHOT).catch(ifMissing)
      await this.dropSnapshot(handle, SNAPSHOT)
    } finally {
      await this.close(handle)
    }
    await this.remove({ ...place, image })
  }

  /** Runs a call on an open image. */
  async use<T>(handle: number, call: (image: bigint) => Promise<T>): Promise<T> {
    const open = this.#open.get(handle)
    if (!open) throw new Error(`no image is open as ${handle}`)
    const running = call(open.image)
    open.busy.add(running)
    try {
      return await running
    } finally {
      open.busy.delete(running)
    }
  }

  /** The answer comes from the spare buffers. */
  read(handle: number, offset: number, length: number): Promise<Buffer> {
    return this.use(handle, async (image) => {
      const bytes = this.#buffers.take(length)
      const count = await this.#cluster.lib.rbd_read(image, offset, length, bytes)
      return bytes.subarray(0, count)
    })
  }

  async write(handle: number, offset: number, bytes: Uint8Array): Promise<void> {
    const count = await this.use(handle, (image) => this.#cluster.lib.rbd_write(image, offset, bytes.byteLength, bytes))
    if (count !== bytes.byteLength) throw new Error(`rbd_write took ${count} of ${bytes.byteLength} bytes`)
  }

  async copy(from: number, to: number, offset: number, length: number): Promise<void> {
    const bytes = await this.read(from, offset, length)
    if (bytes.byteLength !== length) throw new Error('the origin is shorter than it was')
    for (const [at, run] of nonZeroRuns(offset, [bytes])) {
      for (const part of run) await this.write(to, at, part)
    }
    this.#buffers.give(bytes)
  }

  /** Changes which snapshot the handle shows. */
  dependents(handle: number, snapshot: string | undefined): Promise<Dependents> {
    const { lib } = this.#cluster
    return this.use(handle, async (image) => {
      const watchers = await counted((count) => lib.rbd_watchers_list(image, null, count))
      // one more than there are: librbd ends its list with an empty entry
      const snapshots = (await counted((count) => lib.rbd_snap_list(image, null, count))) - 1
      const exists = [false]
      if (snapshot !== undefined) await lib.rbd_snap_exists(image, snapshot, exists)
      const found = exists[0] === true
      let clones = 0
      if (found) {
        await lib.rbd_snap_set(image, snapshot ?? null)
        clones = await counted((count) => lib.rbd_list_children3(image, null, count))
        await lib.rbd_snap_set(image, null)
      }
      const removing = !found && (await this.#marked(image))
      return { snapshot: found, removing, otherSnapshots: snapshots - (found ? 1 : 0), clones, watchers }
    })
  }

  async unprotect(handle: number, snapshot: string): Promise<void> {
    const unprotecting = this.use(handle, (image) => this.#cluster.lib.rbd_snap_unprotect(image, snapshot))
    await unprotecting.catch((error: unknown) => {
      if (!(error instanceof NativeError && error.errno === EINVAL)) throw error // it was not protected
    })
  }

  async protect(handle: number, snapshot: string): Promise<void> {
    const { lib } = this.#cluster
    await this.use(handle, async (image) => {
      const exists = [false]
      await lib.rbd_snap_exists(image, snapshot, exists)
      if (exists[0] !== true) await lib.rbd_snap_create(image, snapshot)
      const isProtected = [0]
      await lib.rbd_snap_is_protected(image, snapshot, isProtected)
      if (isProtected[0] !== 1) await lib.rbd_snap_protect(image, snapshot)
    })
  }

  async mark(handle: number, removing: boolean): Promise<void> {
    const { lib } = this.#cluster
    if (removing) await this.use(handle, (image) => lib.rbd_metadata_set(image, MARK, 'true'))
    else await this.use(handle, (image) => lib.rbd_metadata_remove(image, MARK)).catch(ifMissing)
  }

  async #marked(image: bigint): Promise<boolean> {
    const value = Buffer.alloc(64)
    try {
      await this.#cluster.lib.rbd_metadata_get(image, MARK, value, [value.byteLength])
      return true
    } catch (error) {
      ifMissing(error)
      return false
    }
  }

  async dropSnapshot(handle: number, snapshot: string): Promise<void> {
    const dropping = this.use(handle, (image) => this.#cluster.lib.rbd_snap_remove(image, snapshot))
    await dropping.catch(ifMissing)
  }

  async #facts(image: bigint, snapshot: string | undefined): Promise<Omit<Opened, 'handle'>> {
    const { lib } = this.#cluster
    const id = Buffer.alloc(128)
    await lib.rbd_get_id(image, id, id.byteLength)
    const size = [0]
    await lib.rbd_get_size(image, size)
    const time = Buffer.alloc(16) // struct timespec of 64-bit Linux
    await lib.rbd_get_modify_timestamp(image, time)
    const modifiedAt = Number(time.readBigInt64LE(0)) * 1000
    const facts = { id: terminated(id), size: Number(size[0]), modifiedAt }
    if (snapshot === undefined) return facts
    const snapshotId = [0]
    await lib.rbd_snap_get_id(image, snapshot, snapshotId)
    return { ...facts, snapshotId: Number(snapshotId[0]) }
  }
}

function ifMissing(error: unknown): void {
  if (!(error instanceof NativeError && error.errno === ENOENT)) throw error
}

/** How long a list of librbd is, which it says when it is given no room. */
async function counted(list: (count: number[]) => Promise<number>): Promise<number> {
  const count = [0]
  await list(count).catch(ifTooSmall)
  return Number(count[0])
}
