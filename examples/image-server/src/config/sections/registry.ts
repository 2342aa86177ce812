import { z } from 'zod'

export interface RegistryConfig {
  /** `ID=KEY`. */
  readonly encryptionKeys: readonly string[]
  readonly refusePlain: boolean
}

export const registry: z.ZodType<RegistryConfig> = z.strictObject({
  encryptionKeys: z
    .array(z.string().regex(/^[A-Za-z0-9._-]{1,64}=/, 'expected ID=KEY'))
    .default([])
    .describe(
      'Encrypt the locations of images in the database: `ID=KEY`, the key 32 random bytes in base64 ' +
        '(`openssl rand -base64 32`) or a reference to them. The first key writes, all of them read.',
    )
    .meta({ secret: true }),
  refusePlain: z.boolean().default(false).describe('Refuse locations that were stored before there was a key.'),
})
