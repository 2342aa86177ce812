import { describe, expect, it } from 'vitest'
import { passes, type Question } from '../../src/policy/check.ts'
import { parseRule, type RuleSource } from '../../src/policy/parser.ts'
import { RuleError } from '../../src/policy/rule-error.ts'
import { question } from './questions.ts'

function decide(source: RuleSource, asked: Question = question()): boolean {
  return passes(parseRule(source), asked, (name) => name === 'yes')
}

function problem(source: RuleSource): string {
  try {
    parseRule(source)
  } catch (error) {
    if (error instanceof RuleError) return error.message
    throw error
  }
  return expect.fail(`${JSON.stringify(source)} was accepted`)
}

describe('a rule (oslo_policy/_parser.py)', () => {
  it.each([
    ['', true],
    ['@', true],
    ['!', false],
    ['role:member', true],
    ['role:MEMBER', true],
    ['role:mem', false],
    ['rule:yes', true],
    ['rule:no', false],
    ['not role:member', false],
    ['not not role:member', true],
    ['NOT role:x AND role:member', true],
    ['role:x or role:member', true],
    ['role:x and role:member', false],
    ['(role:x or role:member) and rule:yes', true],
    ['((@))', true],
    ['not (role:x or role:member)', false],
    [' \t role:member \n', true],
  ])('%j is %s for a member', (text, expected) => {
    expect(decide(text)).toBe(expected)
  })

  it.each([
    ['@ or ! and !', true],
    ['! and ! or @', true],
    ['(@ or !) and !', false],
    ['not @ and !', false],
    ['not ! or !', true],
    ['@ or not @ and !', true],
  ])('binds not before and before or: %s', (text, expected) => {
    expect(decide(text)).toBe(expected)
  })

  it.each<[RuleSource, boolean]>([
    [[], true],
    [[[]], false],
    [[['role:member', 'rule:yes']], true],
    [[['role:member', 'rule:no']], false],
    [[['rule:no'], ['role:member']], true],
    [['rule:no', 'rule:yes'], true],
    [[['!'], []], false],
  ])('may be a list of alternatives: %j is %s', (rows, expected) => {
    expect(decide(rows)).toBe(expected)
  })

  it.each([
    ['project_id:%(owner)s', { owner: 'p1' }, true],
    ['tenant_id:%(owner)s', { owner: 'p1' }, true],
    ['tenant:%(owner)s', { owner: 'p1' }, true],
    ['project:%(owner)s', { owner: 'p2' }, false],
    ['user_id:%(x)s', { x: 'u1' }, true],
    ['user:%(x)s', { x: 'u2' }, false],
    ['user_id:u1', {}, true],
    ['user_id:%(missing)s', {}, false],
    ['not user_id:%(missing)s', {}, true],
    ['user_id:%(a)s%(b)s', { a: 'u', b: 1 }, true],
    ["'public':%(visibility)s", { visibility: 'public' }, true],
    ['"public":%(visibility)s', { visibility: 'private' }, false],
    ['True:%(is_public)s', { is_public: true }, true],
    ['False:%(is_public)s', { is_public: true }, false],
    ['None:%(owner)s', { owner: null }, true],
    ['None:%(owner)s', {}, false],
    ['0:%(min_disk)s', { min_disk: 0 }, true],
    ['-1:%(x)s', { x: -1 }, true],
    ['roles:member', {}, true],
    ['role:%(x)s', { x: 'Member' }, true],
    ["'50%':50%%", {}, true],
  ])('%s is compared with the target %j: %s', (text, target, expected) => {
    expect(decide(text, question({}, target))).toBe(expected)
  })

  it('knows an administrator as is_admin', () => {
    expect(decide('is_admin:True', question({ admin: true }))).toBe(true)
    expect(decide('is_admin:True')).toBe(false)
    expect(decide('is_admin:False')).toBe(true)
  })

  it('does not take who has no project for the owner of what has none', () => {
    const nobody = { user: undefined, tenant: undefined, roles: [] }
    expect(decide('project_id:%(owner)s', question(nobody, { owner: null }))).toBe(false)
    expect(decide('project_id:%(owner)s', question({ tenant: 'None' }, { owner: null }))).toBe(false)
    expect(decide('project_id:%(owner)s', question(nobody, { owner: 'undefined' }))).toBe(false)
  })

  it.each(['system_scope:all', 'user_domain_id:%(x)s', 'service_roles:service'])(
    'takes %s, which nobody here has',
    (text) => expect(decide(text, question({}, { x: 'x' }))).toBe(false),
  )

  it('leaves what it is asked as it is', () => {
    const asked = question({ roles: Object.freeze(['Member']) }, { owner: 'p1' })
    Object.freeze(asked.credentials)
    expect(decide('role:member and roles:Member and tenant:%(owner)s', asked)).toBe(true)
    expect(asked.credentials.roles).toEqual(['Member'])
  })
})

describe('a refused rule', () => {
  it.each([
    [' ', 'expected a check, got the end of the rule'],
    ['admin', 'expected a check such as role:NAME, rule:NAME, @ or !, got "admin"'],
    [':admin', 'expected a check such as role:NAME'],
    ['role:', 'expected something after the colon of "role:"'],
    ['role:a role:b', 'expected "and", "or" or the end of the rule, got "role:b"'],
    ['role:a and', 'expected a check, got the end of the rule'],
    ['or role:a', 'expected a check, got "or"'],
    ['not', 'expected a check, got the end of the rule'],
    ['not and', 'expected a check, got "and"'],
    ['(role:a', 'expected ")", got the end of the rule'],
    ['role:a)', 'expected "and", "or" or the end of the rule, got ")"'],
    ['()', 'expected a check, got ")"'],
    ['role:a)and(role:b', 'expected blanks around the parentheses'],
    ['user_id:%(x)', 'expected %(name)s, or %% for a percent sign'],
    ['user_id:%(x)d', 'expected %(name)s, or %% for a percent sign'],
    ['user_id:100%', 'expected %(name)s, or %% for a percent sign'],
    ['projet_id:%(owner)s', 'expected role, rule, a literal'],
    ['constructor:x', 'expected role, rule, a literal'],
    ["'public:%(x)s", 'expected role, rule, a literal'],
    ['http://policy.example/check', 'http: checks ask another server'],
    ['https://policy.example/check', 'write the condition with role:, rule: and %(name)s instead'],
  ])('%j: %s', (text, message) => {
    expect(problem(text)).toContain(message)
  })

  it('is nested more deeply than anybody would write', () => {
    expect(problem(`${'('.repeat(51)}@${')'.repeat(51)}`)).toBe('expected at most 50 levels of parentheses and "not"')
    expect(problem(`${'not '.repeat(51)}@`)).toBe('expected at most 50 levels of parentheses and "not"')
    expect(decide(`${'not '.repeat(50)}@`)).toBe(true)
  })

  it('is longer than anybody would write', () => {
    expect(problem(`${'@ or '.repeat(2_000)}@`)).toBe('expected at most 10000 characters, got 10001')
  })

  it('in a list holds one check for each text', () => {
    expect(problem([['role:a or role:b']])).toBe('expected one check in each text of a list, got "role:a or role:b"')
    expect(decide([['role:Two Words']], question({ roles: ['two words'] }))).toBe(true)
  })
})

describe('the time a rule takes', () => {
  it.each([
    ['parentheses without an end', '('.repeat(10_000)],
    ['closing parentheses alone', ')'.repeat(10_000)],
    ['negations', 'not '.repeat(2_500)],
    ['alternatives', '! or '.repeat(1_999)],
    ['blanks', `${' '.repeat(9_999)}@`],
    ['percent signs', `user:${'%('.repeat(4_990)}`],
    ['placeholders that do not end', `user:${'%(a'.repeat(3_300)}`],
    ['quotes', `${"'".repeat(9_990)}:x`],
  ])('to read grows with its length only: %s', (_what, text) => {
    const before = process.cpuUsage()
    for (let run = 0; run < 20; run++) {
      try {
        parseRule(text)
      } catch (error) {
        expect(error).toBeInstanceOf(RuleError)
      }
    }
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(1_000)
  })
})
