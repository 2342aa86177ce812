import type { CatalogService } from './catalog.ts'

/** What an identity service issued. */
export interface Token {
  readonly value: string
  /** Milliseconds since the epoch; undefined when the service does not say. */
  readonly expiresAt: number | undefined
  /** Keystone only. */
  readonly catalog: readonly CatalogService[]
  /** v1 only: where the account of the token lies. */
  readonly storageUrl: string | undefined
}

/** How an identity service is asked; the answer is small and read whole. */
export interface IdentityRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | undefined
}

export interface IdentityAnswer {
  readonly status: number
  header(name: string): string | undefined
  readonly text: string
}

/** Rejects when there is no answer; every status is one. */
export type AskIdentity = (request: IdentityRequest) => Promise<IdentityAnswer>

/** Issues a token. Rejects `unauthenticated`, `unavailable`, … */
export type IssueToken = (ask: AskIdentity) => Promise<Token>
