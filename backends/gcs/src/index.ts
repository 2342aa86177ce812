export type { GcsConfig } from './config.ts'
export { gcs } from './gcs.ts'
export type { GcsLocation } from './location.ts'
export type { GcsStore } from './store.ts'
