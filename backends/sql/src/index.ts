export type { EncryptionKey, SqlConfig } from './config.ts'
export { openRegistry, type SqlRegistry, type SqlRegistryEnv } from './registry.ts'
