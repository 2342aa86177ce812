import type { Actor } from 'mullion/images'
import { fill, type Target, type Template } from './template.ts'

/** A rule of the policy language, parsed (oslo_policy/_checks.py). */
export type Check =
  | { readonly kind: 'always' | 'never' }
  | { readonly kind: 'not'; readonly check: Check }
  | { readonly kind: 'all' | 'any'; readonly checks: readonly Check[] }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'role'; readonly role: Template }
  | { readonly kind: 'literal'; readonly text: string; readonly value: Template }
  | { readonly kind: 'credential'; readonly name: Credential; readonly value: Template }

/** Who is asked about. `admin` is what `is_admin` compares. */
export type Credentials = Pick<Actor, 'user' | 'tenant' | 'roles' | 'admin'>

/** What one decision is about. Neither part is changed by it. */
export interface Question {
  readonly credentials: Credentials
  readonly target: Target
}

export type Credential = 'user_id' | 'user' | 'project_id' | 'project' | 'tenant_id' | 'tenant' | 'is_admin' | 'roles'

/** What rules call what is known of a caller. An unknown value equals nothing. */
export const CREDENTIALS: {
  readonly [C in Credential]: (credentials: Credentials) => readonly (string | undefined)[]
} = {
  user_id: ({ user }) => [user],
  user: ({ user }) => [user],
  project_id: ({ tenant }) => [tenant],
  project: ({ tenant }) => [tenant],
  tenant_id: ({ tenant }) => [tenant],
  tenant: ({ tenant }) => [tenant],
  is_admin: ({ admin }) => [admin ? 'True' : 'False'],
  roles: ({ roles }) => roles,
}

/** Whether the check passes. `rule` answers for the rules that it refers to. */
export function passes(check: Check, question: Question, rule: (name: string) => boolean): boolean {
  switch (check.kind) {
    case 'always':
      return true
    case 'never':
      return false
    case 'not':
      return !passes(check.check, question, rule)
    case 'all':
      return check.checks.every((part) => passes(part, question, rule))
    case 'any':
      return check.checks.some((part) => passes(part, question, rule))
    case 'rule':
      return rule(check.name)
    case 'role': {
      const role = fill(check.role, question.target)?.text.toLowerCase()
      return question.credentials.roles.some((name) => name.toLowerCase() === role)
    }
    case 'literal':
      return fill(check.value, question.target)?.text === check.text
    case 'credential': {
      const value = fill(check.value, question.target)
      // who has no project is not the owner of what has none, and a project may be called None
      return value !== undefined && !value.unset && CREDENTIALS[check.name](question.credentials).includes(value.text)
    }
  }
}
