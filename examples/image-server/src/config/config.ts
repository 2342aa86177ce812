import type { AuthConfig } from './sections/auth.ts'
import type { CopiesConfig } from './sections/copies.ts'
import type { DeletionConfig } from './sections/deletion.ts'
import type { ImagesConfig } from './sections/images.ts'
import type { LimitsConfig } from './sections/limits.ts'
import type { LogConfig } from './sections/log.ts'
import type { PolicyConfig } from './sections/policy.ts'
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
  readonly auth: AuthConfig
  readonly limits: LimitsConfig
  readonly images: ImagesConfig
  readonly deletion: DeletionConfig
  readonly policy: PolicyConfig
  readonly copies: CopiesConfig
  readonly registry: RegistryConfig
  readonly stores: Readonly<Record<string, StoreTable>>
}

/** One store; the keys beside these two are the plugin's own. */
export interface StoreTable {
  readonly type: string
  readonly enabled: boolean
  readonly [key: string]: unknown
}
