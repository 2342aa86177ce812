export { type AppSettings, buildApp } from './app.ts'
export type { Authenticator, Identity } from './auth/identity.ts'
export { keystone, type KeystoneSettings } from './auth/keystone/keystone.ts'
export { type StaticToken, staticTokens } from './auth/tokens.ts'
export { ApiError, type ApiErrorInit, answerError, errorBody, type ErrorBody, STATUS } from './errors.ts'
export {
  type CachedData,
  type CachedImage,
  cacheManagement,
  type CacheManagementOptions,
  DiskCache,
  type DiskCacheOptions,
  forgetDeleted,
  type ImageCache,
  openDiskCache,
  prefetch,
  type PrefetchOptions,
  type ReadStore,
} from './cache/index.ts'
export { answerEarly, type EarlyAnswerOptions } from './plugins/early-answer.ts'
export { createHttpServer, limitRequests } from './plugins/http-server.ts'
export { type ActorSettings, actorOf, identifyActors } from './plugins/actor.ts'
export { filePolicy, inlinePolicy } from './policy/open.ts'
export type { AdminRule, NamedRules, RulePolicy } from './policy/policy.ts'
export { type PropertyProtections, readProtections } from './protections/rules.ts'
export { buildRegistryApp, type RegistryAppSettings } from './registry/app.ts'
export type { Registry, RegistryPorts, RegistrySettings } from './registry/context.ts'
export { registryV1 } from './registry/v1.ts'
export type { DataSent, ServerPorts, V1Settings } from './v1/context.ts'
export { imagesV1, type ImagesV1Options } from './v1/index.ts'
