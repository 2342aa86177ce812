export type { MysqlConfig, PostgresConfig, SqlConfig, SqliteConfig, TlsConfig } from './config.ts'
export type { Version } from './migrations/migrate.ts'
export { checkRegistry, migrateRegistry, openRegistry, type SqlRegistry, type SqlRegistryEnv } from './registry.ts'
