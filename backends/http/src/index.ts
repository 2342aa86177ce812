import { defineStore, type StoreSpec } from 'mullion'
import { type HttpConfig, httpConfig } from './config.ts'
import { httpLocation } from './location.ts'
import { type HttpStore, openHttp } from './store.ts'

const plugin: (config: HttpConfig) => StoreSpec<HttpStore> = defineStore({
  name: 'http',
  schemes: ['http', 'https'],
  config: httpConfig,
  location: httpLocation,
  capabilities: { range: true },
  open: (config, env) => openHttp(config, env),
})

/** Objects behind http and https URLs, read-only. Without `allow`, only public addresses can be reached. */
export function http(config: HttpConfig = {}): StoreSpec<HttpStore> {
  return plugin(config)
}

export { createGuard, type Guard, type GuardRules } from './guard.ts'
export type { HttpConfig } from './config.ts'
export type { HttpStore } from './store.ts'
export type { HttpLocation } from './location.ts'
