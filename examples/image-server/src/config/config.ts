import type { AuthConfig } from './sections/auth.ts'
import type { CacheConfig } from './sections/cache.ts'
import type { CopiesConfig } from './sections/copies.ts'
import type { CorsConfig } from './sections/cors.ts'
import type { DatabaseConfig } from './sections/database.ts'
import type { DeletionConfig } from './sections/deletion.ts'
import type { ImagesConfig } from './sections/images.ts'
import type { KeystoneConfig } from './sections/keystone.ts'
import type { LimitsConfig } from './sections/limits.ts'
import type { LogConfig } from './sections/log.ts'
import type { NotificationsConfig } from './sections/notifications.ts'
import type { PipelineConfig } from './sections/pipeline.ts'
import type { PolicyConfig } from './sections/policy.ts'
import type { ProtectionsConfig } from './sections/protections.ts'
import type { RegistryConfig } from './sections/registry.ts'

/** What the server can be told. Durations are seconds here, as in the file; sizes are bytes. */
export interface Config {
  readonly host: string
  readonly port: number
  readonly dataDir: string
  readonly publicEndpoint?: string | undefined
  readonly defaultStore: string
  readonly shutdownGrace: number
  readonly clientSocketTimeout: number
  readonly log: LogConfig
  readonly pipeline: PipelineConfig
  readonly auth: AuthConfig
  readonly keystone: KeystoneConfig
  readonly cors: CorsConfig
  readonly limits: LimitsConfig
  readonly images: ImagesConfig
  readonly deletion: DeletionConfig
  readonly policy: PolicyConfig
  readonly protections: ProtectionsConfig
  readonly copies: CopiesConfig
  readonly cache: CacheConfig
  readonly database: DatabaseConfig
  readonly registry: RegistryConfig
  readonly notifications: NotificationsConfig
  readonly stores: Readonly<Record<string, StoreTable>>
}

/** One store; the keys beside these two are the plugin's own. */
export interface StoreTable {
  readonly type: string
  readonly enabled: boolean
  readonly [key: string]: unknown
}
