import { createDecipheriv } from 'node:crypto'

/** Opens what `metadata_encryption_key` of a Glance closed; undefined for what it does not open. */
export type Decrypt = (value: string) => string | undefined

const CIPHERS: Readonly<Record<number, string>> = { 16: 'aes-128-cbc', 24: 'aes-192-cbc', 32: 'aes-256-cbc' }
const IV_BYTES = 16

/** Whether a key has a length that Glance takes: 16, 24 or 32 octets. */
export function isMetadataKey(key: string): boolean {
  return Buffer.byteLength(key) in CIPHERS
}

/**
 * `base64url(IV | AES-CBC)` of the text, a NUL and random octets other than NUL (glance/common/crypt.py). Nothing is
 * authenticated: a wrong key shows only in that no URI comes out.
 */
export function decryptWith(key: string): Decrypt {
  const bytes = Buffer.from(key)
  const cipher = CIPHERS[bytes.length] ?? ''
  return (value) => {
    const sealed = Buffer.from(value, 'base64url')
    if (sealed.length <= IV_BYTES || sealed.length % IV_BYTES !== 0) return undefined
    const decipher = createDecipheriv(cipher, bytes, sealed.subarray(0, IV_BYTES)).setAutoPadding(false)
    const padded = Buffer.concat([decipher.update(sealed.subarray(IV_BYTES)), decipher.final()])
    const end = padded.lastIndexOf(0)
    const text = padded.subarray(0, Math.max(0, end)).toString()
    return isUri(text) ? text : undefined
  }
}

/** Cipher text never looks like one: its alphabet has no colon. */
export function isUri(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- what a wrong key yields is full of them
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\u0000-\u001f]+$/.test(text) && !text.includes('\ufffd')
}
