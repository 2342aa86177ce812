import { MullionError } from 'mullion'
import { z } from 'zod'

export interface EncryptionKey {
  /** Stored with each value: 1–64 of `[A-Za-z0-9._-]`. */
  readonly id: string
  /** 32 random bytes in base64. */
  readonly key: string
}

export interface SqlConfig {
  /** Default `sqlite`. */
  readonly dialect?: 'sqlite'
  /** Path of the database file, created if missing, or `:memory:`. */
  readonly file: string
  /** Seal locations and tasks: the first key writes, all of them read. Default none. */
  readonly encryptionKeys?: readonly EncryptionKey[]
  /** Refuse values that were stored before there was a key. Default false. */
  readonly refusePlain?: boolean
  /** How long a busy database is asked again. Default 5000. */
  readonly busyTimeoutMs?: number
}

const keySchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1-64 of A-Z a-z 0-9 . _ -'),
  key: z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'expected 32 bytes in base64'),
})

const schema = z
  .strictObject({
    dialect: z.literal('sqlite').default('sqlite'),
    file: z.string().min(1),
    encryptionKeys: z.array(keySchema).readonly().default([]),
    refusePlain: z.boolean().default(false),
    busyTimeoutMs: z.number().int().min(0).default(5000),
  })
  .refine(({ encryptionKeys: keys }) => new Set(keys.map(({ id }) => id)).size === keys.length, {
    path: ['encryptionKeys'],
    message: 'expected different ids',
  })
  .refine(({ encryptionKeys, refusePlain }) => !refusePlain || encryptionKeys.length > 0, {
    path: ['refusePlain'],
    message: 'expected at least one encryption key',
  })

/** Throws `invalid_config`, without the values of keys. */
export function parseConfig(input: SqlConfig): Required<SqlConfig> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw invalidConfig(result.error.issues.map(({ path, message }) => `${path.join('.') || 'config'}: ${message}`))
}

export function invalidConfig(issues: readonly string[], cause?: unknown): MullionError<'invalid_config'> {
  return new MullionError('invalid_config', `sql: ${issues.join('; ')}`, { details: { plugin: 'sql', issues }, cause })
}
