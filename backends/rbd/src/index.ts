export type { Feature, RbdConfig } from './config.ts'
export type { RbdLocation } from './location.ts'
export { rbd } from './rbd.ts'
export type { RbdStore } from './store.ts'
