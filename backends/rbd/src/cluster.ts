import { decodeImageSpecs, IMAGE_SPEC_BYTES, type Librbd, loadLibrbd, NativeError } from './librbd.ts'
import type { ClusterOptions, Listed, Place } from './calls.ts'

/** Errno of Linux, which is what librbd runs on. */
export const ENOENT = -2
export const EINVAL = -22
const ERANGE = -34

/** The cluster, as the process with the libraries has it: one connection, and an I/O context for each pool. */
export class Cluster {
  readonly lib: Librbd = loadLibrbd()
  readonly #pools = new Map<string, Promise<bigint>>()
  #cluster: bigint | undefined
  #connected = false

  load({ user, confFile, settings }: ClusterOptions): { readonly fsid?: string | undefined } {
    const created: [bigint | null] = [null]
    this.lib.rados_create(created, user)
    const cluster = created[0]
    if (cluster === null) throw new Error('rados_create answered no cluster')
    if (confFile !== false) this.lib.rados_conf_read_file(cluster, confFile ?? null)
    for (const [option, value] of Object.entries(settings)) this.lib.rados_conf_set(cluster, option, value)
    this.#cluster = cluster
    const fsid = textOf((buffer) => this.lib.rados_conf_get(cluster, 'fsid', buffer, buffer.byteLength))
    return { fsid: /[1-9a-f]/.test(fsid) ? fsid : undefined }
  }

  async connect(): Promise<string> {
    const cluster = this.#loaded()
    await this.lib.rados_connect(cluster)
    this.#connected = true
    return textOf((buffer) => this.lib.rados_cluster_fsid(cluster, buffer, buffer.byteLength))
  }

  pool({ pool, namespace = '' }: Place): Promise<bigint> {
    const key = `${pool}/${namespace}`
    const known = this.#pools.get(key)
    if (known) return known
    const opening = this.#openPool(pool, namespace)
    this.#pools.set(key, opening)
    opening.catch(() => this.#pools.delete(key))
    return opening
  }

  async images(place: Place): Promise<readonly Listed[]> {
    const io = await this.pool(place)
    const count = [0]
    for (;;) {
      const room = Number(count[0])
      const list = Buffer.alloc(room * IMAGE_SPEC_BYTES)
      const fits = await this.lib.rbd_list2(io, list, count).then(() => true, ifTooSmall)
      if (!fits) continue
      const found = Number(count[0])
      const specs = found === 0 ? [] : decodeImageSpecs(list, found)
      this.lib.rbd_image_spec_list_cleanup(list, found)
      return specs
    }
  }

  /** All images have to be closed. */
  async shutdown(): Promise<void> {
    if (!this.#connected) return
    for (const opening of this.#pools.values()) this.lib.rados_ioctx_destroy(await opening)
    await this.lib.rados_shutdown(this.#loaded())
  }

  async #openPool(pool: string, namespace: string): Promise<bigint> {
    if (!this.#connected) throw new Error('not connected') // librados would crash
    const created: [bigint | null] = [null]
    await this.lib.rados_ioctx_create(this.#loaded(), pool, created)
    const io = created[0]
    if (io === null) throw new Error('rados_ioctx_create answered no context')
    this.lib.rados_ioctx_set_namespace(io, namespace)
    // A write to a full pool or cluster fails instead of waiting for room.
    this.lib.rados_set_pool_full_try(io)
    return io
  }

  #loaded(): bigint {
    if (this.#cluster === undefined) throw new Error('not loaded')
    return this.#cluster
  }
}

/** What lists of librbd answer when they are given less room than they need, the count included. */
export function ifTooSmall(error: unknown): false {
  if (error instanceof NativeError && error.errno === ERANGE) return false
  throw error
}

/** Text that C writes into a buffer. */
function textOf(write: (buffer: Buffer) => unknown): string {
  const buffer = Buffer.alloc(128)
  write(buffer)
  return terminated(buffer)
}

export function terminated(buffer: Buffer): string {
  return buffer.toString('utf8', 0, buffer.indexOf(0))
}
