import { type Check, passes, type Question } from './check.ts'
import { RuleError } from './rule-error.ts'

/** The rules of one policy, checked as a whole. */
export interface RuleSet {
  /** A rule that is not there is the rule `default`; nobody passes where that is missing too. */
  passes(rule: string, question: Question): boolean
}

const MAX_RULES = 1_000
const MAX_HEIGHT = 200

/**
 * Throws RuleError, by rule, for references that go round in a circle or to no rule. With every rule decided once for
 * each question the time of a decision is linear to the size of the policy.
 */
export function ruleSet(rules: ReadonlyMap<string, Check>): RuleSet {
  if (rules.size > MAX_RULES) throw new RuleError(`expected at most ${MAX_RULES} rules, got ${rules.size}`)
  checkReferences(rules)
  return {
    passes(name, question) {
      const decided = new Map<string, boolean>()
      const decide = (rule: string): boolean => {
        const before = decided.get(rule)
        if (before !== undefined) return before
        const check = rules.get(rule) ?? rules.get(DEFAULT)
        const result = check !== undefined && passes(check, question, decide)
        decided.set(rule, result)
        return result
      }
      return decide(name)
    },
  }
}

const DEFAULT = 'default'

/** Follows every rule to the rules that it leads to, so that no decision can go in circles or exhaust the stack. */
function checkReferences(rules: ReadonlyMap<string, Check>): void {
  const heights = new Map<string, number>()
  const path: string[] = []

  function heightOf(name: string, depth: number): number {
    const found = rules.has(name) ? name : DEFAULT
    const known = heights.get(found)
    if (known !== undefined) return known
    const at = path.indexOf(found)
    if (at >= 0) throw new RuleError(`the rules go in a circle: ${[...path.slice(at), found].join(' -> ')}`, found)
    const check = rules.get(found)
    if (!check) throw new RuleError(`expected a rule ${name}, or a rule ${DEFAULT}; there is neither`, path.at(-1))
    path.push(found)
    const height = measure(check, depth)
    path.pop()
    heights.set(found, height)
    return height
  }

  function measure(check: Check, depth: number): number {
    const height = 1 + below(check, depth + 1)
    if (depth + height > MAX_HEIGHT) throw new RuleError(`expected at most ${MAX_HEIGHT} levels of rules`, path[0])
    return height
  }

  function below(check: Check, depth: number): number {
    if (depth > MAX_HEIGHT) return 0
    if (check.kind === 'rule') return heightOf(check.name, depth)
    if (check.kind === 'not') return measure(check.check, depth)
    if (check.kind !== 'all' && check.kind !== 'any') return 0
    return check.checks.reduce((most, part) => Math.max(most, measure(part, depth)), 0)
  }

  for (const name of rules.keys()) heightOf(name, 0)
}
