import { createSeal, type EncryptionKey, type SealContext } from 'mullion/images'
import { invalidConfig } from './errors.ts'

/** What must not be read in the registry. */
export interface Sealing {
  close(text: string, context: SealContext): string
  /** Throws `invalid_config` or `internal` as `Seal.open` does. */
  open(value: string, context: SealContext): string
}

/** Without a key values leave as they are, so that other clients of the registry can read them. */
export function createSealing(keys: readonly EncryptionKey[], refusePlain: boolean): Sealing {
  const seal = createSeal(keys, refusePlain)
  return {
    close: (text, context) => (keys.length === 0 ? text : seal.close(text, context)),
    open(value, context) {
      if (value.startsWith('v1:')) return seal.open(value, context)
      if (!refusePlain) return value
      throw invalidConfig(
        `encryptionKeys: ${context.purpose} of image ${context.imageId} is stored unencrypted and refusePlain is set`,
      )
    },
  }
}
