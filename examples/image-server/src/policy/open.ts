import { refusal } from '../config/document.ts'
import { snakeCase } from '../config/keys.ts'
import type { PolicyConfig } from '../config/sections/policy.ts'
import { type RuleName, rulesWith } from './defaults.ts'
import { type FileLog, policyFile } from './policy-file.ts'
import { type RulePolicy, rulePolicy } from './policy.ts'
import { RuleError } from './rule-error.ts'

/** The policy of the configuration. Throws `invalid_config`, with the file or the key and what was expected. */
export function openPolicy({ file, ...own }: PolicyConfig, adminRole: string, log: FileLog): RulePolicy {
  if (file !== undefined) return filePolicy(file, adminRole, log)
  const given = Object.entries(own).flatMap(([key, text]) => (text === undefined ? [] : [[snakeCase(key), text]]))
  return inlinePolicy(Object.fromEntries(given) as Partial<Record<RuleName, string>>, adminRole)
}

/** The policy in a file of oslo.policy, which is read again when it changes. Throws `invalid_config`. */
export function filePolicy(path: string, adminRole: string, log: FileLog): RulePolicy {
  return rulePolicy(policyFile(path, { log }), adminRole)
}

/** Glance's policy without a file, some of its rules replaced. Throws `invalid_config`. */
export function inlinePolicy(own: Partial<Record<RuleName, string>>, adminRole: string): RulePolicy {
  try {
    const rules = rulesWith(own)
    return rulePolicy(() => rules, adminRole)
  } catch (error) {
    if (!(error instanceof RuleError)) throw error
    throw refusal('policy', error.rule === undefined ? error.message : `${error.rule}: ${error.message}`)
  }
}
