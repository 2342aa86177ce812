import { defineStore, type StoreSpec } from 'mullion'
import { configSchema, type FileConfig } from './config.ts'
import { classify } from './errors.ts'
import { location } from './location.ts'
import { type FileStore, openFileStore } from './store.ts'

/** Images as files in local or mounted directories: invisible until complete, never overwritten, durable once added. */
export const file: (config: FileConfig) => StoreSpec<FileStore> = defineStore({
  name: 'file',
  schemes: ['file', 'filesystem'],
  config: configSchema,
  location,
  capabilities: { range: true, atomicWrite: true, exclusiveWrite: true },
  classify,
  open: (settings, env) => openFileStore(settings, env),
})
