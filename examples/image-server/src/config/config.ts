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

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'

export interface LogConfig {
  readonly level: LogLevel
}

export interface AuthConfig {
  readonly flavour: 'none' | 'trusted'
  readonly adminRole: string
  readonly ownerIsTenant: boolean
  readonly allowAnonymousAccess: boolean
  /** Undefined: only while the host is a loopback address. */
  readonly allowAnonymousWrites?: boolean | undefined
}

export interface LimitsConfig {
  readonly imageSizeCap: number
  readonly imagePropertyQuota: number
  readonly limitParamDefault: number
  readonly apiLimitMax: number
  readonly maxHeaderLine: number
  readonly maxRequestIdLength: number
}

export interface ImagesConfig {
  readonly diskFormats: readonly string[]
  readonly containerFormats: readonly string[]
  readonly refusedSchemes: readonly string[]
}

export interface DeletionConfig {
  readonly delayedDelete: boolean
  readonly scrubTime: number
  readonly wakeupTime: number
}

/** Roles by action; `@` is everybody, an empty list nobody. */
export interface PolicyConfig {
  readonly getImages: readonly string[]
  readonly getImage: readonly string[]
  readonly downloadImage: readonly string[]
  readonly addImage: readonly string[]
  readonly modifyImage: readonly string[]
  readonly publicizeImage: readonly string[]
  readonly copyFrom: readonly string[]
  readonly uploadImage: readonly string[]
  readonly setImageLocation: readonly string[]
  readonly deleteImage: readonly string[]
}

export interface CopiesConfig {
  readonly concurrency: number
  readonly pollInterval: number
}

export interface RegistryConfig {
  /** `ID=KEY`. */
  readonly encryptionKeys: readonly string[]
  readonly refusePlain: boolean
}

/** One store; the keys beside these two are the plugin's own. */
export interface StoreTable {
  readonly type: string
  readonly enabled: boolean
  readonly [key: string]: unknown
}
