export { DiskCache, type DiskCacheOptions, openDiskCache } from './cache.ts'
export { cacheManagement, type CacheManagementOptions } from './manage.ts'
export type { CachedData, CachedImage, ImageCache, ReadStore } from './port.ts'
export { forgetDeleted, prefetch, type PrefetchOptions } from './prefetch.ts'
