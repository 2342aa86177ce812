export type { FileConfig } from './config.ts'
export { file } from './file.ts'
export { type DirectorySpace, freeSpace } from './space.ts'
export type { FileStore } from './store.ts'
