import type { Action } from 'mullion/images'
import { type RuleSet, ruleSet } from './rule-set.ts'
import type { Check } from './check.ts'
import { parseRule } from './parser.ts'
import { RuleError } from './rule-error.ts'

/** The rules that a policy without a file has. */
export type RuleName = Action | 'context_is_admin'

/**
 * As Glance without a policy file (glance/api/policy.py, DEFAULT_RULES), which calls an administrator by the role; here
 * `is_admin` means the same, whatever makes the administrator.
 */
export const DEFAULT_RULES: Readonly<Record<RuleName, string>> = {
  context_is_admin: 'role:admin',
  get_images: '@',
  get_image: '@',
  download_image: '@',
  add_image: '@',
  modify_image: '@',
  publicize_image: 'is_admin:True',
  copy_from: '@',
  upload_image: '@',
  set_image_location: '@',
  delete_image: '@',
  get_members: '@',
  modify_member: '@',
  delete_member: '@',
  manage_image_cache: 'is_admin:True',
}

/** Those rules, some of them replaced. Throws RuleError. */
export function rulesWith(own: Partial<Record<RuleName, string>>): RuleSet {
  const rules = Object.entries({ ...DEFAULT_RULES, ...own }).map(([name, text]) => [name, parsed(name, text)] as const)
  return ruleSet(new Map(rules))
}

function parsed(name: string, text: string): Check {
  try {
    return parseRule(text)
  } catch (error) {
    throw error instanceof RuleError ? new RuleError(error.message, name) : error
  }
}
