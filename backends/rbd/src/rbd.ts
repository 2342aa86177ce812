import { defineStore, type StoreSpec } from 'mullion'
import { type RbdConfig, rbdConfig } from './config.ts'
import { classify } from './errors.ts'
import { rbdLocation } from './location.ts'
import { openRbd, type RbdStore } from './store.ts'

/** Images in Ceph RBD, each with a protected snapshot: invisible until complete, never overwritten, ready for clones. */
export const rbd: (config: RbdConfig) => StoreSpec<RbdStore> = defineStore({
  name: 'rbd',
  schemes: ['rbd'],
  config: rbdConfig,
  location: rbdLocation,
  capabilities: { range: true, atomicWrite: true, exclusiveWrite: true },
  classify,
  open: (settings, env) => openRbd(settings, env),
})
