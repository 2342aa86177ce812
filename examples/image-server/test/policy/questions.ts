import type { Credentials, Question } from '../../src/policy/check.ts'
import type { Target } from '../../src/policy/template.ts'

/** What a rule is asked, about a member of project p1 unless said otherwise. */
export function question(credentials: Partial<Credentials> = {}, target: Record<string, TargetValue> = {}): Question {
  return {
    credentials: { user: 'u1', tenant: 'p1', roles: ['member'], admin: false, ...credentials },
    target: new Map(Object.entries(target)),
  }
}

type TargetValue = Target extends ReadonlyMap<string, infer V> ? V : never
