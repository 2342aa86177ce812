import { z } from 'zod'
import { DEFAULT_RULES, type RuleName } from '../../policy/defaults.ts'
import { parseRule } from '../../policy/parser.ts'
import { RuleError } from '../../policy/rule-error.ts'

/** Rules in the language of oslo.policy: those of a file, or one for each action. Undefined: the rule of Glance. */
export interface PolicyConfig extends Rules {
  readonly file?: string | undefined
}

type Rules = { readonly [R in RuleName as CamelCase<R>]?: string | undefined }
type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<CamelCase<Tail>>}` : S

const WHO: { readonly [R in RuleName]: string } = {
  context_is_admin: 'is an administrator, beside those with `auth.admin_role`',
  get_images: 'may list images',
  get_image: 'may see the record of an image',
  download_image: 'may download the data of an image',
  add_image: 'may create an image',
  modify_image: 'may change an image',
  publicize_image: 'may make an image public',
  copy_from: 'may have an image copied from another server',
  upload_image: 'may bring data to an image, by upload or copy',
  set_image_location: 'may register data that lies on another server',
  delete_image: 'may delete an image',
  get_members: 'may see whom an image is shared with',
  modify_member: 'may share an image',
  delete_member: 'may stop sharing an image',
  manage_image_cache: 'may manage the cache of images',
}

const rule = (name: RuleName): z.ZodType<string | undefined> =>
  z
    .string()
    .superRefine((text, context) => {
      const message = problemOf(text)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    })
    .optional()
    .describe(`Who ${WHO[name]}. Not set: \`${DEFAULT_RULES[name]}\`.`)

export const policy: z.ZodType<PolicyConfig> = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .optional()
      .describe('A policy file of oslo.policy, YAML or JSON, with all rules; it is read again when it changes.'),
    ...(Object.fromEntries((Object.keys(WHO) as RuleName[]).map((name) => [camelCase(name), rule(name)])) as {
      [K in keyof Rules]-?: ReturnType<typeof rule>
    }),
  })
  .superRefine(({ file, ...rules }, context) => {
    if (file === undefined) return
    for (const [name, text] of Object.entries(rules)) {
      const message = 'expected no rule beside policy.file, which has all of them'
      if (text !== undefined) context.addIssue({ code: 'custom', path: [name], message })
    }
  })

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function problemOf(text: string): string | undefined {
  try {
    parseRule(text)
    return undefined
  } catch (error) {
    if (error instanceof RuleError) return error.message.replace(/, got [^]*$/, '') // the whole rule is named anyway
    throw error
  }
}
