import { resolve } from 'node:path'
import { z } from 'zod'

/** Exactly one of `dir` and `dirs`. Relative paths are resolved against the working directory. */
export interface FileConfig {
  readonly dir?: string | undefined
  /** The greatest weight is filled first; among equals the directory with most free bytes. Default weight 0. */
  readonly dirs?: readonly { readonly path: string; readonly weight?: number | undefined }[] | undefined
  /** Octal digits such as `'640'`, independent of the umask. Default: what the umask leaves of 666. */
  readonly permissions?: string | undefined
  /** Stores runs of zeros as holes. Default false. */
  readonly sparse?: boolean | undefined
  /** Age at which the partial file of a process on another host counts as abandoned. Default one day. */
  readonly stalePartialMs?: number | undefined
}

export interface Settings {
  readonly directories: readonly DirectorySetting[]
  readonly permissions: number | undefined
  readonly sparse: boolean
  readonly stalePartialMs: number
}

export interface DirectorySetting {
  readonly path: string
  readonly weight: number
}

const pathText = z
  .string()
  .min(1, 'expected a path, received an empty string')
  .refine((text) => !text.includes('\0'), 'a path cannot contain NUL')
  .transform((text) => resolve(text))

const permissions = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'expected three octal digits such as "640"')
  .transform((digits) => Number.parseInt(digits, 8))
  .refine((mode) => (mode & 0o400) !== 0, 'must let the owner read, such as "640"')

export const configSchema: z.ZodType<Settings, FileConfig> = z
  .strictObject({
    dir: pathText.optional(),
    dirs: z
      .array(z.strictObject({ path: pathText, weight: z.int().default(0) }))
      .min(1)
      .readonly()
      .optional(),
    permissions: permissions.optional(),
    sparse: z.boolean().default(false),
    stalePartialMs: z.int().nonnegative().default(86_400_000),
  })
  .superRefine(({ dir, dirs }, context) => {
    if ((dir === undefined) === (dirs === undefined)) {
      context.addIssue({ code: 'custom', message: 'expected exactly one of dir and dirs' })
    }
    for (const [index, { path }] of (dirs ?? []).entries()) {
      const first = dirs?.findIndex((other) => other.path === path)
      if (first === index) continue
      context.addIssue({ code: 'custom', path: ['dirs', index, 'path'], message: `${path} is listed twice` })
    }
  })
  .transform(({ dir, dirs, permissions: mode, sparse, stalePartialMs }) => ({
    directories: dirs ?? [{ path: dir ?? '', weight: 0 }],
    permissions: mode,
    sparse,
    stalePartialMs,
  }))
