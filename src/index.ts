export { orAborted } from './abort.ts'
export type { AddOptions, AddResult } from './add-options.ts'
export { collect } from './bytes.ts'
export type { CopyOptions, CopyResult } from './copy.ts'
export {
  ERRORS,
  type ErrorCode,
  type ErrorContext,
  type ErrorDetails,
  type ErrorInit,
  inContext,
  isMullionError,
  MullionError,
} from './errors.ts'
export type { GetOptions, GetResult } from './get.ts'
export { type Digests, type Hashes, type HashName, startDigests } from './hash/digests.ts'
export type { ListedEntry, ObjectEntry, PartialEntry } from './list.ts'
export { type Location, type LocationLike, type LocationRef, redactText, redactUri, revealUri } from './location.ts'
export { type MemoryConfig, type MemoryStore, memory } from './memory.ts'
export {
  type AnyStore,
  defineStore,
  type Layer,
  type StoreDefinition,
  type StoreEnv,
  type StoreInfo,
  type StoreSpec,
} from './plugin.ts'
export type { OnProgress, Progress } from './progress.ts'
export type { RetryPolicy } from './retry.ts'
export type { ByteSource } from './source.ts'
export type {
  Acls,
  ByteStream,
  CallOptions,
  Capabilities,
  CopyFromOptions,
  CopyFromResult,
  Listed,
  ListedObject,
  ListedPartial,
  ListOptions,
  LocationCodec,
  Origin,
  ReadOptions,
  ReadResult,
  StatResult,
  Store,
  WriteOptions,
  WriteResult,
} from './store.ts'
export { createStores, type StoreMap, type Stores, type StoresOptions, type WritableKeys } from './stores.ts'
export { keyedTurns, type KeyedTurns } from './turns.ts'
