/** Bytes in motion. A chunk belongs to whoever receives it: a producer never writes to it again. */
export type ByteStream = AsyncIterable<Uint8Array>

/**
 * A backend for objects addressed by `L`, whatever its location codec parses to. `read` and `stat` are enough.
 * A store throws what its SDK throws; the definition's `classify` maps it to a code, the core adds context.
 */
export interface Store<L> {
  /**
   * Opens the object. Acquire nothing before the first chunk is asked for, or return a Readable or ReadableStream:
   * those can be destroyed unread, a generator that never started cannot. Rejects `not_found`.
   */
  read(at: L, options: ReadOptions): Promise<ReadResult>
  /** Size in bytes when the backend knows it. Rejects `not_found`. */
  stat(at: L, options: CallOptions): Promise<StatResult>
  /**
   * Stores `body` under a new key; resolves once the object is complete and durable. An existing key rejects with
   * `already_exists` and leaves it untouched. Absent: the store is read-only.
   */
  write?(key: string, body: ByteStream, options: WriteOptions<L>): Promise<WriteResult<L>>
  /**
   * Stores a copy of another object under a new key without its bytes passing through this process, with the promises
   * of `write`. Answers undefined when it cannot (another kind of store, another account, another file system), having
   * done nothing. Absent: never.
   */
  copyFrom?(key: string, origin: Origin, options: CopyFromOptions<L>): Promise<CopyFromResult<L> | undefined>
  /** Deletes the object. Rejects `not_found`, `in_use`. Absent: nothing here can be deleted. */
  remove?(at: L, options: CallOptions): Promise<void>
  /** Replaces who may read and write the object directly in the backend. Absent: the backend has no such lists. */
  setAcls?(at: L, acls: Acls, options: CallOptions): Promise<void>
  /**
   * What the store holds, in no order: objects that `write` could have stored, and what unfinished writes left behind,
   * for reconciliation. It may take long, and what changes meanwhile may be told or not. Acquires nothing before the first
   * entry is asked for, holds no more than a page, and repeats what fails for a moment by itself: nobody else can go on
   * in the middle. Absent: the store cannot tell.
   */
  list?(options: ListOptions): AsyncIterable<Listed<L>>
  /** Whether a location lies inside this store: decides between stores of one scheme, and stops traversal. */
  owns?(at: L): boolean
  /** Releases what `open` acquired. Called once. */
  close?(): Promise<void>
}

/** Guaranteed to the store: `signal` is present and means stop now, whatever is half done. */
export interface CallOptions {
  readonly signal: AbortSignal
}

/**
 * Guaranteed: `offset ≥ 0`, `length ≥ 1` or undefined for the rest; 0 and undefined unless `range` is declared. Asked
 * of the store: a range ends where the object ends, and one that starts at or past the end is an empty body.
 */
export interface ReadOptions extends CallOptions {
  readonly offset: number
  readonly length: number | undefined
}

/**
 * Guaranteed: `body` ends only when size and expected digests were met; otherwise its last `next()` throws, so a store
 * that commits after the end of the body never commits a wrong image. It throws as soon as `signal` aborts. `key` is 1–255 of `[A-Za-z0-9._-]`, never
 * starting with a dot.
 */
export interface WriteOptions<L = unknown> extends CallOptions {
  readonly size: number | undefined
  readonly metadata: Readonly<Record<string, string>>
  /**
   * Call and await it once the place of the object is known to be free, before anything is visible there. It lets the
   * caller record the place, so that a restart can remove what a crash between commit and answer left behind: what lies
   * at an announced place is taken for this write's own.
   */
  announce(at: L): Promise<void>
  /**
   * Says that work goes on although no chunk is asked for: bytes of a part leave, a try failed and another follows. Cheap;
   * without it a store that is silent for as long as `idleTimeoutMs` of `createStores` is given up.
   */
  alive(): void
}

/** `size` is that of the whole object in bytes, also when a range was asked for. */
export interface ReadResult {
  readonly body: ByteStream
  readonly size: number | undefined
  /** A validator: equal etags mean equal bytes. */
  readonly etag?: string | undefined
}

export interface StatResult {
  readonly size: number | undefined
  readonly etag?: string | undefined
}

export interface WriteResult<L> {
  readonly at: L
  /** Facts of the store about the object, kept with its location. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** Where a copy comes from. A plugin recognises stores of its own, such as by a WeakMap from what its `open` answered. */
export interface Origin {
  /** The opened store that holds the object, as its plugin made it: without layers. */
  readonly store: object
  /** The address of the object, as that store's codec parsed it. */
  readonly at: unknown
}

/** `size` and `etag` are what the origin's `stat` said: what is copied has to be that. */
export interface CopyFromOptions<L = unknown> extends WriteOptions<L> {
  readonly etag: string | undefined
}

export interface CopyFromResult<L> extends WriteResult<L> {
  /** Bytes of the copy, as the backend counts them. */
  readonly size: number
}

export interface ListOptions extends CallOptions {
  /** As that of a write: says that work goes on although no entry comes, such as a page without one. */
  alive(): void
}

export type Listed<L> = ListedObject<L> | ListedPartial

export interface ListedObject<L> {
  readonly kind: 'object'
  readonly at: L
  /** Bytes. */
  readonly size: number | undefined
  readonly modifiedAt: Date | undefined
}

/** What a write that did not end holds in the backend: a temporary file, a multipart upload, segments without a manifest. */
export interface ListedPartial {
  readonly kind: 'partial'
  /** For an operator to find it by. No secret. */
  readonly name: string
  /** Bytes, as far as the backend tells. */
  readonly size: number | undefined
  /** When something was last written to it: what is old is abandoned, what is young may be under way. */
  readonly modifiedAt: Date | undefined
  /**
   * Deletes it; that it is gone already is no error. Rejects `conflict` when it changed since it was listed, or has become
   * part of an object, and `in_use` while the store knows that somebody writes it.
   */
  remove(options: CallOptions): Promise<void>
}

/** Names are the backend's own: tenants, projects, accounts. */
export interface Acls {
  readonly public: boolean
  readonly readers: readonly string[]
  readonly writers: readonly string[]
}

/** Facts the core acts on. Whether a store writes or deletes is no flag: it is whether the function is there. */
export interface Capabilities {
  /** `read` honours offset and length. Default false. */
  readonly range: boolean
  /** A failed write leaves nothing visible; otherwise the core removes the announced place. Default false. */
  readonly atomicWrite: boolean
  /** Of two concurrent writes of a key, one loses with `already_exists`. Default false. */
  readonly exclusiveWrite: boolean
  /** The size must be known before the first byte (volumes). Default false. */
  readonly needsSize: boolean
  /** Bytes per object. Default Infinity. */
  readonly maxSize: number
  /** Calls in flight at once; more wait. Default Infinity. */
  readonly concurrency: number
}

/** The text form of a location and its parsed form. `format(parse(uri)) === uri` for every URI the store produced. */
export interface LocationCodec<L> {
  /** The key under which `write` stored what lies there; undefined when the address does not tell. Absent: never. */
  key?(at: L): string | undefined
  /** Throws any error when the text is no location of this kind; the core answers `invalid_location`. */
  parse(uri: string): L
  format(at: L): string
}
