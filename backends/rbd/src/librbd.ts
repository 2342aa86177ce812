import koffi from 'koffi'
import type { Listed } from './calls.ts'

/** Arrays of one element take what C answers through a pointer. */
export type Argument = bigint | number | string | null | Uint8Array | unknown[]

/** Runs on a thread of libuv's pool. Resolves with what the function answered; a negative errno rejects. */
export type Native = (...args: readonly Argument[]) => Promise<number>
/** Runs at once, for what asks nobody. A negative errno throws. */
export type NativeNow = (...args: readonly Argument[]) => number

/** A native function answered a negative errno. */
export class NativeError extends Error {
  readonly call: string
  readonly errno: number

  constructor(call: string, errno: number) {
    super(`${call} answered ${errno}`)
    this.call = call
    this.errno = errno
  }
}

// rados/librados.h
const RADOS_NOW = {
  rados_create: 'int rados_create(_Out_ void **cluster, const char *id)',
  rados_conf_read_file: 'int rados_conf_read_file(void *cluster, const char *path)',
  rados_conf_set: 'int rados_conf_set(void *cluster, const char *option, const char *value)',
  rados_conf_get: 'int rados_conf_get(void *cluster, const char *option, void *buffer, size_t length)',
  rados_cluster_fsid: 'int rados_cluster_fsid(void *cluster, void *buffer, size_t length)',
  rados_ioctx_set_namespace: 'void rados_ioctx_set_namespace(void *io, const char *name)',
  rados_set_pool_full_try: 'void rados_set_pool_full_try(void *io)',
  rados_ioctx_destroy: 'void rados_ioctx_destroy(void *io)',
} as const
const RADOS = {
  rados_connect: 'int rados_connect(void *cluster)',
  rados_shutdown: 'void rados_shutdown(void *cluster)',
  rados_ioctx_create: 'int rados_ioctx_create(void *cluster, const char *pool, _Out_ void **io)',
  rados_remove: 'int rados_remove(void *io, const char *object)',
} as const

// rbd/librbd.h
const RBD_NOW = {
  rbd_image_options_create: 'void rbd_image_options_create(_Out_ void **options)',
  rbd_image_options_set_uint64: 'int rbd_image_options_set_uint64(void *options, int name, uint64_t value)',
  rbd_image_options_destroy: 'void rbd_image_options_destroy(void *options)',
  rbd_image_spec_list_cleanup: 'void rbd_image_spec_list_cleanup(void *images, size_t count)',
} as const
const RBD = {
  rbd_list2: 'int rbd_list2(void *io, void *images, _Inout_ size_t *count)',
  rbd_create4: 'int rbd_create4(void *io, const char *name, uint64_t size, void *options)',
  rbd_open: 'int rbd_open(void *io, const char *name, _Out_ void **image, const char *snapshot)',
  rbd_open_read_only: 'int rbd_open_read_only(void *io, const char *name, _Out_ void **image, const char *snapshot)',
  rbd_close: 'int rbd_close(void *image)',
  rbd_get_id: 'int rbd_get_id(void *image, void *id, size_t length)',
  rbd_get_size: 'int rbd_get_size(void *image, _Out_ uint64_t *size)',
  rbd_get_modify_timestamp: 'int rbd_get_modify_timestamp(void *image, void *timespec)',
  rbd_read: 'int64_t rbd_read(void *image, uint64_t offset, size_t length, void *buffer)',
  rbd_write: 'int64_t rbd_write(void *image, uint64_t offset, size_t length, const void *buffer)',
  rbd_resize: 'int rbd_resize(void *image, uint64_t size)',
  rbd_flush: 'int rbd_flush(void *image)',
  rbd_snap_create: 'int rbd_snap_create(void *image, const char *name)',
  rbd_snap_remove: 'int rbd_snap_remove(void *image, const char *name)',
  rbd_snap_protect: 'int rbd_snap_protect(void *image, const char *name)',
  rbd_snap_unprotect: 'int rbd_snap_unprotect(void *image, const char *name)',
  rbd_snap_is_protected: 'int rbd_snap_is_protected(void *image, const char *name, _Out_ int *answer)',
  rbd_snap_exists: 'int rbd_snap_exists(void *image, const char *name, _Out_ bool *answer)',
  rbd_snap_get_id: 'int rbd_snap_get_id(void *image, const char *name, _Out_ uint64_t *id)',
  rbd_snap_list: 'int rbd_snap_list(void *image, void *snapshots, _Inout_ int *count)',
  rbd_snap_set: 'int rbd_snap_set(void *image, const char *name)',
  rbd_list_children3: 'int rbd_list_children3(void *image, void *images, _Inout_ size_t *count)',
  rbd_watchers_list: 'int rbd_watchers_list(void *image, void *watchers, _Inout_ size_t *count)',
  rbd_metadata_get: 'int rbd_metadata_get(void *image, const char *key, void *value, _Inout_ size_t *length)',
  rbd_metadata_set: 'int rbd_metadata_set(void *image, const char *key, const char *value)',
  rbd_metadata_remove: 'int rbd_metadata_remove(void *image, const char *key)',
  rbd_rename: 'int rbd_rename(void *io, const char *name, const char *to)',
  rbd_remove: 'int rbd_remove(void *io, const char *name)',
  rbd_trash_move: 'int rbd_trash_move(void *io, const char *name, uint64_t seconds)',
} as const

export type Librbd = { readonly [F in keyof typeof RADOS_NOW | keyof typeof RBD_NOW]: NativeNow } & {
  readonly [F in keyof typeof RADOS | keyof typeof RBD]: Native
}

type Library = ReturnType<typeof koffi.load>
type KoffiFunction = ReturnType<Library['func']>

/** Throws when the libraries, or functions of them, are missing. */
export function loadLibrbd(): Librbd {
  koffi.config({ max_async_calls: 4096, resident_async_pools: 32 })
  const rados = koffi.load('librados.so.2')
  const rbd = koffi.load('librbd.so.1')
  return {
    ...table(rados, RADOS_NOW, now),
    ...table(rados, RADOS, threaded),
    ...table(rbd, RBD_NOW, now),
    ...table(rbd, RBD, threaded),
  }
}

/** Of all images; copied out of what librbd allocated. */
export function decodeImageSpecs(list: Buffer, count: number): readonly Listed[] {
  return koffi.decode(list, koffi.array(imageSpec(), count)) as readonly Listed[]
}

/** Bytes of one element of what `rbd_list2` fills. */
export const IMAGE_SPEC_BYTES = 16

let spec: ReturnType<typeof koffi.struct> | undefined
function imageSpec(): ReturnType<typeof koffi.struct> {
  spec ??= koffi.struct('rbd_image_spec_t', { id: 'const char *', name: 'const char *' })
  return spec
}

function table<K extends string, F>(
  library: Library,
  declarations: Readonly<Record<K, string>>,
  wrap: (name: string, fn: KoffiFunction) => F,
): Readonly<Record<K, F>> {
  const entries = Object.entries<string>(declarations)
  return Object.fromEntries(entries.map(([name, text]) => [name, wrap(name, library.func(text))])) as Record<K, F>
}

function now(name: string, fn: KoffiFunction): NativeNow {
  return (...args) => checked(name, fn(...args))
}

function threaded(name: string, fn: KoffiFunction): Native {
  return (...args) =>
    new Promise((resolve, reject) => {
      fn.async(...args, (error: unknown, answer: unknown) => {
        if (error) return reject(error)
        try {
          resolve(checked(name, answer))
        } catch (thrown) {
          reject(thrown)
        }
      })
    })
}

function checked(name: string, answer: unknown): number {
  const value = Number(answer ?? 0)
  if (value < 0) throw new NativeError(name, value)
  return value
}
