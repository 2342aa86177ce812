export type { RegistryCredentials, RemoteRegistryConfig, TokenProvider } from './config.ts'
export { openRemoteRegistry, type RemoteRegistry } from './registry.ts'
