import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

/** Prints nothing of its secret. */
export type SigningKey = KeyObject

/**
 * The key of a secret as the Standard Webhooks specification writes it: `whsec_` and 24 to 64 bytes in base64. Undefined
 * when the text is no such secret.
 */
export function signingKey(secret: string): SigningKey | undefined {
  const encoded =
    /^whsec_((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?)$/.exec(secret)?.[1] ?? ''
  const bytes = Buffer.from(encoded, 'base64')
  return bytes.byteLength >= 24 && bytes.byteLength <= 64 ? createSecretKey(bytes) : undefined
}

/** Standard Webhooks, signature scheme v1: HMAC-SHA256 of id, timestamp and body, joined by full stops. */
export function signature(key: SigningKey, id: string, seconds: number, body: Uint8Array): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')}`
}
