import { defineStore, type StoreSpec } from 'mullion'
import { configSchema, type SwiftConfig } from './config.ts'
import { location, SCHEMES } from './location.ts'
import { openSwift, type SwiftStore } from './store.ts'

/** Images in OpenStack Swift or behind the Swift API of radosgw: segmented where they are large, whole or not there. */
export function swift(config: SwiftConfig): StoreSpec<SwiftStore> {
  const plugin = defineStore({
    name: 'swift',
    schemes: SCHEMES,
    config: configSchema,
    location,
    // of two writers one wins only if they look at each other
    capabilities: { range: true, atomicWrite: true, exclusiveWrite: config.exclusiveWaitMs !== false },
    open: (settings, env) => openSwift(settings, env),
  })
  return plugin(config)
}
