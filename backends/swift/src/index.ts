export type {
  ApplicationCredentialAuth,
  PasswordAuth,
  SwiftAuth,
  SwiftConfig,
  TokenAuth,
  V1Auth,
} from './config.ts'
export type { SwiftLocation } from './location.ts'
export type { SwiftStore } from './store.ts'
export { swift } from './swift.ts'
