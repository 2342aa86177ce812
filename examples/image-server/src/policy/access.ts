import type { Config } from '../config/config.ts'
import { openProtections } from '../protections/file.ts'
import type { PropertyProtections } from '../protections/rules.ts'
import { openPolicy } from './open.ts'
import type { RulePolicy } from './policy.ts'
import type { FileLog } from './policy-file.ts'

/** What decides who may do what. */
export interface Access {
  readonly policy: RulePolicy
  readonly protections: PropertyProtections | undefined
}

/** Reads the policy and the property protections of the configuration. Throws `invalid_config`. */
export function openAccess({ policy: rules, auth, protections }: Config, log: FileLog = SILENT): Access {
  const policy = openPolicy(rules, auth.adminRole, log)
  return { policy, protections: openProtections(protections, (rule, actor) => policy.allows(rule, actor)) }
}

const SILENT: FileLog = { info() {}, error() {} }
