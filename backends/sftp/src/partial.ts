import { createHash, randomBytes } from 'node:crypto'

const PARTIAL = /^\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\.[0-9a-f]{32}\.part$/
const LOCK = /^\.[0-9a-f]{64}\.lock$/
const SHOWN_KEY = 128 // characters; with all of a long key the name would not fit into the 255 bytes a name may have

/** A new name for each call. It starts with a dot, as no key does. */
export function partialName(key: string): string {
  return `.${key.slice(0, SHOWN_KEY)}.${randomBytes(16).toString('hex')}.part`
}

/** The same name for the same key; that of @mullion/file, so that both may serve one directory. */
export function lockName(key: string): string {
  return `.${createHash('sha256').update(key).digest('hex')}.lock`
}

/** Whether a name is one that `partialName` or `lockName` made; no other file is ever swept. */
export function isOurs(name: string): boolean {
  return PARTIAL.test(name) || LOCK.test(name)
}
