export type { KeystoneCredentials, Named } from './auth/keystone.ts'
export { keystoneIssuer } from './auth/keystone.ts'
export { createSession, type Session, type SessionOptions } from './auth/session.ts'
export type { AskIdentity, IdentityAnswer, IdentityRequest, IssueToken, Token } from './auth/token.ts'
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
