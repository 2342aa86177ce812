import { defineStore, type StoreSpec } from 'mullion'
import { type GcsConfig, gcsConfig } from './config.ts'
import { MAX_OBJECT_BYTES } from './errors.ts'
import { gcsLocation } from './location.ts'
import { type GcsStore, openGcs } from './store.ts'

/** Disk images in a bucket of Google Cloud Storage: resumable, verified uploads that never replace anything. */
export function gcs(config: GcsConfig): StoreSpec<GcsStore> {
  return defineStore({
    name: 'gcs',
    schemes: ['gs'],
    config: gcsConfig,
    location: gcsLocation(config.prefix ?? ''),
    capabilities: { range: true, atomicWrite: true, exclusiveWrite: true, maxSize: MAX_OBJECT_BYTES },
    open: (settings, env) => openGcs(settings, env),
  })(config)
}
