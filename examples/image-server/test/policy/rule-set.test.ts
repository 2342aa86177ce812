import { describe, expect, it } from 'vitest'
import { parseRule } from '../../src/policy/parser.ts'
import { RuleError } from '../../src/policy/rule-error.ts'
import { type RuleSet, ruleSet } from '../../src/policy/rule-set.ts'
import { question } from './questions.ts'

function rules(texts: Record<string, string>): RuleSet {
  return ruleSet(new Map(Object.entries(texts).map(([name, text]) => [name, parseRule(text)])))
}

function problem(texts: Record<string, string>): readonly [rule: string | undefined, message: string] {
  try {
    rules(texts)
  } catch (error) {
    if (error instanceof RuleError) return [error.rule, error.message]
    throw error
  }
  return expect.fail('the rules were accepted')
}

describe('the rules of a policy', () => {
  it('refer to one another', () => {
    const set = rules({ admin: 'role:boss', owner: 'tenant:%(owner)s', change: 'rule:admin or rule:owner' })
    expect(set.passes('change', question({ roles: ['boss'] }))).toBe(true)
    expect(set.passes('change', question({}, { owner: 'p1' }))).toBe(true)
    expect(set.passes('change', question({}, { owner: 'p2' }))).toBe(false)
  })

  it('are the rule default where they are missing', () => {
    const set = rules({ default: 'role:boss', a: 'rule:missing' })
    expect(['missing', 'a', 'constructor'].map((name) => set.passes(name, question({ roles: ['boss'] })))).toEqual([
      true,
      true,
      true,
    ])
    expect(set.passes('missing', question())).toBe(false)
  })

  it('let nobody pass where there is no default either', () => {
    expect(rules({ a: '@' }).passes('missing', question({ admin: true, roles: ['admin'] }))).toBe(false)
  })

  it('may not go in circles, not even through default', () => {
    expect(problem({ a: 'rule:a' })).toEqual(['a', 'the rules go in a circle: a -> a'])
    expect(problem({ x: 'rule:b', b: 'not (@ and rule:c)', c: 'rule:b' })).toEqual([
      'b',
      'the rules go in a circle: b -> c -> b',
    ])
    expect(problem({ default: '@ or rule:missing' })[1]).toBe('the rules go in a circle: default -> default')
  })

  it('may not refer to what is nowhere: behind a "not" that would let everybody pass', () => {
    expect(problem({ a: '@', b: 'not rule:typo' })).toEqual([
      'b',
      'expected a rule typo, or a rule default; there is neither',
    ])
  })

  it('may not lead on and on', () => {
    const chain = (length: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length }, (_, at) => [`r${at}`, at + 1 < length ? `rule:r${at + 1}` : '@']))
    expect(rules(chain(90)).passes('r0', question())).toBe(true)
    expect(problem(chain(400))[1]).toBe('expected at most 200 levels of rules')
    const backwards = Object.fromEntries(Object.entries(chain(400)).toReversed())
    expect(problem(backwards)[1]).toBe('expected at most 200 levels of rules')
  })

  it('are no more than a thousand', () => {
    const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, at) => [`r${at}`, '@']))
    expect(problem(many)[1]).toBe('expected at most 1000 rules, got 1001')
  })

  it('are each decided once, however often others refer to them', () => {
    const doubling = Object.fromEntries(
      Array.from({ length: 60 }, (_, at) => [`r${at}`, at === 59 ? '!' : `rule:r${at + 1} or rule:r${at + 1}`]),
    )
    const before = process.cpuUsage()
    expect(rules(doubling).passes('r0', question())).toBe(false)
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(1_000)
  })
})
