import { MullionError } from 'mullion'
import type { Action, Actor, Policy } from 'mullion/images'

/**
 * Who may do what: `@` is everybody, `admin` an administrator under whatever role, anything else a role. An empty
 * list is nobody.
 */
export type Rules = Readonly<Record<Action, readonly string[]>>

/** A policy that looks at roles only. Whether an image may be seen or changed is decided elsewhere, by its owner. */
export function rulePolicy(rules: Rules): Policy {
  return {
    async enforce(action, actor) {
      if (rules[action].some((rule) => matches(rule, actor))) return
      throw new MullionError('permission_denied', `${action}: the policy does not allow it`, { details: {} })
    },
  }
}

function matches(rule: string, { admin, roles }: Actor): boolean {
  return rule === '@' || (rule === 'admin' && admin) || roles.includes(rule.toLowerCase())
}
