import { z } from 'zod'

export interface ProtectionsConfig {
  readonly file?: string | undefined
  readonly ruleFormat: 'roles' | 'policies'
}

export const protections: z.ZodType<ProtectionsConfig> = z.strictObject({
  file: z
    .string()
    .min(1)
    .optional()
    .describe('An INI file that says who may do what with custom properties. Not set: they are not protected.'),
  ruleFormat: z
    .enum(['roles', 'policies'])
    .default('roles')
    .describe('Whether the file names roles, or rules of the policy.'),
})
