import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { MullionError } from '../errors.ts'

export interface EncryptionKey {
  /** Stored with each value: 1–64 of `[A-Za-z0-9._-]`. */
  readonly id: string
  /** 32 random bytes in base64. */
  readonly key: string
}

/** What a value belongs to. A sealed value opens nowhere else. */
export interface SealContext {
  readonly imageId: string
  readonly purpose: 'location' | 'location-metadata' | 'task'
}

/** Keeps secrets out of the registry. Without a key it only marks values as plain. */
export interface Seal {
  close(text: string, context: SealContext): string
  /**
   * Throws `invalid_config` when the key is not configured, or plain text is refused, and `internal` when the value was
   * altered, belongs elsewhere or was written under another key of the same id.
   */
  open(value: string, context: SealContext): string
  /** Whether `close` would write the value under the same key, or plain like this one. */
  isCurrent(value: string): boolean
}

const PLAIN = 'plain:'
const SEALED = /^v1:([A-Za-z0-9._-]{1,64}):([A-Za-z0-9_-]+)$/
const IV_BYTES = 12
const TAG_BYTES = 16

/** AES-256-GCM (NIST SP 800-38D) with a random IV: `v1:<key id>:<base64url(iv | ciphertext | tag)>`. */
export function createSeal(keys: readonly EncryptionKey[], refusePlain: boolean): Seal {
  // Node imports a key given as bytes anew for each value, which takes longer than the cipher.
  const byId = new Map(keys.map(({ id, key }) => [id, createSecretKey(key, 'base64')]))
  const first = keys[0]
  const prefix = first ? `v1:${first.id}:` : PLAIN
  return {
    close(text, context) {
      const key = first && byId.get(first.id)
      return first && key ? prefix + encrypt(key, text, associated(first.id, context)) : PLAIN + text
    },
    open(value, context) {
      if (value.startsWith(PLAIN)) {
        if (refusePlain) throw refused(context, 'is stored unencrypted and refusePlain is set')
        return value.slice(PLAIN.length)
      }
      const [, id, text] = SEALED.exec(value) ?? []
      if (id === undefined || text === undefined) throw altered(context, 'has an unknown form')
      const key = byId.get(id)
      if (!key) throw refused(context, `is encrypted with key "${id}", which is not configured`)
      return decrypt(key, Buffer.from(text, 'base64url'), associated(id, context), context)
    },
    isCurrent: (value) => value.startsWith(prefix),
  }
}

function associated(keyId: string, { imageId, purpose }: SealContext): Buffer {
  return Buffer.from(JSON.stringify(['mullion', 1, keyId, purpose, imageId]))
}

function encrypt(key: KeyObject, text: string, aad: Buffer): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES }).setAAD(aad)
  return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

function decrypt(key: KeyObject, sealed: Buffer, aad: Buffer, context: SealContext): string {
  if (sealed.length < IV_BYTES + TAG_BYTES) throw altered(context, 'is too short')
  const end = sealed.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(aad).setAuthTag(sealed.subarray(end))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, end)), decipher.final()]).toString('utf8')
  } catch (cause) {
    throw altered(context, 'is not authentic: altered, taken from elsewhere, or written under another key', cause)
  }
}

function refused({ imageId, purpose }: SealContext, what: string): MullionError {
  const issue = `encryptionKeys: ${purpose} of image ${imageId} ${what}`
  const details = { plugin: 'registry', issues: [issue] }
  return new MullionError('invalid_config', issue, { details, context: { imageId } })
}

function altered({ imageId, purpose }: SealContext, what: string, cause?: unknown): MullionError {
  return new MullionError('internal', `image ${imageId}: stored ${purpose} ${what}`, {
    details: {},
    context: { imageId },
    cause,
  })
}
