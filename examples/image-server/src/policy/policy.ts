import { MullionError } from 'mullion'
import type { Actor, Policy } from 'mullion/images'
import type { RuleSet } from './rule-set.ts'
import { imageTarget } from './target.ts'
import { NO_TARGET } from './template.ts'

/** Decides who is an administrator. */
export interface AdminRule {
  /** Whether the role of administrators is among the roles, or the rule `context_is_admin` passes. */
  admits(actor: Pick<Actor, 'user' | 'tenant' | 'roles'>): boolean
}

/** Decides by the name of any rule, with nothing as its target. */
export interface NamedRules {
  allows(rule: string, actor: Actor): boolean
}

export type RulePolicy = Policy & AdminRule & NamedRules

/** A policy by rules; `rules` is asked for each decision, so that they may change. */
export function rulePolicy(rules: () => RuleSet, adminRole: string): RulePolicy {
  const role = adminRole.toLowerCase()
  return {
    async enforce(action, actor, image) {
      const target = image ? imageTarget(image) : NO_TARGET
      if (rules().passes(action, { credentials: actor, target })) return
      throw new MullionError('permission_denied', `${action}: the policy does not allow it`, { details: {} })
    },
    admits(actor) {
      if (actor.roles.some((name) => name.toLowerCase() === role)) return true
      return rules().passes('context_is_admin', { credentials: { ...actor, admin: false }, target: NO_TARGET })
    },
    allows: (rule, actor) => rules().passes(rule, { credentials: actor, target: NO_TARGET }),
  }
}
