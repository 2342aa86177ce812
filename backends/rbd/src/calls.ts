/** Where an image lies, within one cluster. */
export interface Place {
  readonly pool: string
  readonly namespace?: string | undefined
}

export interface ClusterOptions {
  readonly user: string
  /** Undefined: Ceph's usual places; false: none. */
  readonly confFile?: string | false | undefined
  readonly settings: Readonly<Record<string, string>>
}

export interface NewImage {
  readonly image: string
  readonly size: number
  /** log2 of the object size. */
  readonly order: number
  readonly features?: number | undefined
}

/** An open image; closed by `close`, and by the end of the process. */
export interface Opened {
  readonly handle: number
  /** Stays the same when the image is renamed. */
  readonly id: string
  readonly size: number
  /** Of the last write, to about a minute; milliseconds since the epoch. */
  readonly modifiedAt: number
  /** Of the snapshot, when it was opened at one. */
  readonly snapshotId?: number | undefined
}

/** An entry of the directory of the pool, whether or not it leads to an image. */
export interface Listed {
  readonly id: string
  readonly name: string
}

/** What keeps an image from being removed. */
export interface Dependents {
  /** Whether the snapshot exists that was asked about. */
  readonly snapshot: boolean
  /** Whether it does not exist because a removal took it and went no further. */
  readonly removing: boolean
  readonly otherSnapshots: number
  /** Of the snapshot that was asked about; in the trash included. */
  readonly clones: number
  /** Who has the image open, the asking handle included. */
  readonly watchers: number
}

type Nothing = Readonly<Record<never, never>>

/** Calls of the process that holds librbd: what is sent and what is answered. Bytes travel beside. */
export interface Calls {
  /** Loads the libraries and reads the configuration. Answers the cluster's id if that tells it. */
  load: [ClusterOptions, { readonly fsid?: string | undefined }]
  connect: [Place, { readonly fsid: string }]
  /** Answers whenever the process is alive. */
  ping: [Nothing, Nothing]
  list: [Place, { readonly images: readonly Listed[] }]
  create: [Place & NewImage, Nothing]
  /** Without `watch` nothing tells the cluster that the image is open. */
  open: [Place & { readonly image: string; readonly snapshot?: string | undefined; readonly watch: boolean }, Opened]
  close: [{ readonly handle: number }, Nothing]
  /** Answers `length` bytes. */
  read: [{ readonly handle: number; readonly offset: number; readonly length: number }, Nothing]
  /** Takes bytes. */
  write: [{ readonly handle: number; readonly offset: number }, Nothing]
  /** Bytes of one image into another; runs of zeros are left out. */
  copy: [{ readonly from: number; readonly to: number; readonly offset: number; readonly length: number }, Nothing]
  resize: [{ readonly handle: number; readonly size: number }, Nothing]
  flush: [{ readonly handle: number }, Nothing]
  /** Creates and protects it, unless that has been done. */
  protect: [{ readonly handle: number; readonly snapshot: string }, Nothing]
  dependents: [{ readonly handle: number; readonly snapshot?: string | undefined }, Dependents]
  /** Already unprotected is no error. */
  unprotect: [{ readonly handle: number; readonly snapshot: string }, Nothing]
  /** Notes on the image, or strikes out, that its removal has begun. */
  mark: [{ readonly handle: number; readonly removing: boolean }, Nothing]
  dropSnapshot: [{ readonly handle: number; readonly snapshot: string }, Nothing]
  rename: [Place & { readonly image: string; readonly to: string }, Nothing]
  /** Takes one of its names from an image that has two. */
  unname: [Place & { readonly image: string }, Nothing]
  remove: [Place & { readonly image: string }, Nothing]
  trash: [Place & { readonly image: string; readonly delayMs: number }, Nothing]
}

export type CallName = keyof Calls
export type Ask<N extends CallName> = Calls[N][0]
export type Answer<N extends CallName> = Calls[N][1]

/** Headers of frames. */
export interface Request<N extends CallName = CallName> {
  readonly id: number
  readonly call: N
  readonly ask: Ask<N>
}

export type Response = { readonly id: number } & (
  | { readonly answer: object }
  /** A negative errno of the function named. */
  | { readonly failed: string; readonly errno: number }
  | { readonly thrown: string }
)
