import { defineStore, type StoreSpec } from 'mullion'
import { configSchema, type SftpConfig } from './config.ts'
import { classify } from './errors.ts'
import { location } from './location.ts'
import { openSftpStore, type SftpStore } from './store.ts'

/** Images as files on an SSH server: invisible until complete, never overwritten, from a server whose key is known. */
export const sftp: (config: SftpConfig) => StoreSpec<SftpStore> = defineStore({
  name: 'sftp',
  schemes: ['sftp'],
  config: configSchema,
  location,
  capabilities: { range: true, atomicWrite: true, exclusiveWrite: true },
  classify,
  open: (settings, env) => openSftpStore(settings, env),
})
