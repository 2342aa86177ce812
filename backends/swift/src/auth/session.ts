import type { Token } from './token.ts'

/** A token that is there when it is needed: issued once for all who wait, renewed before it ends. */
export interface Session {
  /** Rejects what issuing rejected with; the next call tries again. */
  token(): Promise<Token>
  /** Tells that the service refused a token. Answers whether another one can be had. */
  refused(token: Token): boolean
}

export interface SessionOptions {
  readonly issue: () => Promise<Token>
  readonly now: () => number
  /** How long before its end a token is replaced. */
  readonly renewBeforeMs: number
  /** False for a token that was given: there is nothing to make another one from. */
  readonly renewable: boolean
}

export function createSession({ issue, now, renewBeforeMs, renewable }: SessionOptions): Session {
  let current: Token | undefined
  let pending: Promise<Token> | undefined
  let issuedAt = 0

  async function issued(): Promise<Token> {
    try {
      current = await issue()
      issuedAt = now()
      return current
    } finally {
      pending = undefined
    }
  }

  /** A token that never lasts longer than `renewBeforeMs` is used for half of its life. */
  function isFresh({ expiresAt }: Token): boolean {
    if (!renewable || expiresAt === undefined) return true
    const margin = Math.min(renewBeforeMs, (expiresAt - issuedAt) / 2)
    return now() < expiresAt - margin
  }

  return {
    async token() {
      if (current && isFresh(current)) return current
      pending ??= issued()
      return pending
    },
    refused(token) {
      if (current?.value === token.value && renewable) current = undefined
      return renewable
    },
  }
}
