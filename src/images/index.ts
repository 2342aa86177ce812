export { canChange, canSee } from './access.ts'
export { pushAcls } from './acls.ts'
export { advance } from './advance.ts'
export { cleanAnnounced, type Log } from './announced.ts'
export { type CopyOptions, copy, copyLater } from './copy.ts'
export { create, reserve } from './create.ts'
export { openData } from './data.ts'
export {
  type Image,
  type ImageDraft,
  type ImageLocation,
  type ImagePatch,
  idKey,
  type LocationStatus,
  newImage,
  type PublicImage,
  publicImage,
  type Visibility,
} from './image.ts'
export { openPolicy, silentNotifier } from './memory/adapters.ts'
export { type MemoryRegistry, memoryRegistry } from './memory/registry.ts'
export { type MemoryTasksOptions, memoryTasks } from './memory/tasks.ts'
export {
  type Action,
  type Actor,
  type Expectation,
  type ImageFilters,
  type ImageQuery,
  type ImageRegistry,
  type ImageScope,
  type ImageStores,
  type Member,
  type MemberDraft,
  type MemberRegistry,
  type NotificationEvent,
  type Notifier,
  type Policy,
  type Ports,
  SORT_KEYS,
  type SortKey,
  type TaskQueue,
} from './ports.ts'
export { fence } from './fence.ts'
export { assertRoom } from './quota.ts'
export { type RecoverOptions, recover, type ScrubOptions, scrub } from './recover.ts'
export { register } from './register.ts'
export { type RemoveOptions, remove } from './remove.ts'
export { createSeal, type EncryptionKey, type Seal, type SealContext } from './seal.ts'
export { assertExternalSource, REFUSED_SCHEMES } from './sources.ts'
export { type ImageEvent, type ImageStatus, nextStatus, TRANSITIONS } from './status.ts'
export { type Claim, type CopyTask, claimToken, isClaimOf, type OpenTask, type Task, type UploadTask } from './tasks.ts'
export { endUpload, sweep } from './sweep.ts'
export { updateImage } from './update.ts'
export type { UploadOptions } from './attempt.ts'
export { upload } from './upload.ts'
export { runTask, runWorker, type WorkerOptions } from './worker.ts'
