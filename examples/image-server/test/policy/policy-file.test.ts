import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMullionError } from 'mullion'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parsePolicy, policyFile } from '../../src/policy/policy-file.ts'
import type { RuleSet } from '../../src/policy/rule-set.ts'
import { question } from './questions.ts'

const BOSS = question({ roles: ['boss'] })
const MEMBER = question()

function refusal(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (isMullionError(error, 'invalid_config')) return error.message
    throw error
  }
  return expect.fail('the file was accepted')
}

describe('a policy file', () => {
  it.each([
    ['JSON', '{"default": "role:boss", "get_image": "", "old": [["role:x"], ["role:member"]]}'],
    ['JSON with tabs', '{\n\t"default":\t"role:boss",\n\t"get_image": "",\n\t"old": ["role:member"]\n}\n'],
    ['YAML', '# rules\ndefault: role:boss\nget_image: ""\nold:\n  - - role:x\n  - - role:member\n'],
    ['YAML with an alias', 'default: &boss role:boss\nget_image: "@"\nother: *boss\nold: [[role:member]]\n'],
  ])('is read as %s', (_format, text) => {
    const rules = parsePolicy('policy', text)
    expect(['other', 'get_image', 'old'].map((rule) => rules.passes(rule, MEMBER))).toEqual([false, true, true])
    expect(rules.passes('other', BOSS)).toBe(true)
  })

  it('without the rule of administrators has that of Glance, not its default', () => {
    const rules = parsePolicy('policy', '{"default": ""}')
    expect(rules.passes('anything', MEMBER)).toBe(true)
    expect(rules.passes('context_is_admin', MEMBER)).toBe(false)
    expect(rules.passes('context_is_admin', question({ roles: ['admin'] }))).toBe(true)
    expect(parsePolicy('policy', '{"context_is_admin": "role:boss"}').passes('context_is_admin', BOSS)).toBe(true)
  })

  it('may be an empty list of rules, and then allows nothing', () => {
    expect(parsePolicy('policy', '{}').passes('get_image', BOSS)).toBe(false)
  })

  it.each([
    ['', 'policy: expected rules by their names, as in {"default": "role:admin"}'],
    ['# nothing', 'policy: expected rules by their names'],
    ['[]', 'policy: expected rules by their names'],
    ['role:admin', 'policy: expected rules by their names'],
    ['{"a": "@"', 'policy: line 1: expected YAML or JSON: '],
    ['a: "@"\nb: @', 'policy: line 2: expected YAML or JSON: '],
    ['a: "@"\n\na: "!"', 'policy: line 3: expected YAML or JSON: Map keys must be unique'],
    ['a: "@"\n---\nb: "@"', 'expected YAML or JSON: '],
    ['a: ok:', 'expected YAML or JSON: '],
    ['a: *nowhere', 'policy: line 1: a: expected text in quotes'],
    ['1: "@"', 'policy: line 1: expected the name of a rule, as text'],
    ['a: "@"\nb: admin', 'policy: line 2: b: expected a check such as role:NAME'],
    ['a:', 'policy: line 1: a: expected text in quotes, or a list of lists of it'],
    ['a: null', 'policy: line 1: a: expected text'],
    ['a: !', 'policy: line 1: a: expected text in quotes'],
    ['a: !!str', 'policy: line 1: a: expected text in quotes'],
    ['a: true', 'policy: line 1: a: expected text in quotes'],
    ['a: 1', 'policy: line 1: a: expected text in quotes'],
    ['a: {b: c}', 'policy: line 1: a: expected text in quotes'],
    ['a: [[[x]]]', 'policy: line 1: a: expected text in quotes'],
    ['a: [1]', 'policy: line 1: a: expected text in quotes'],
    ['<<: {a: "@"}', 'policy: line 1: <<: expected text in quotes'],
    ['\n{"x": "@",\n"a": "http://policy.example/"}', 'policy: line 3: a: http: checks ask another server'],
    ['x: "@"\na: rule:b\nb: rule:a', 'policy: line 2: a: the rules go in a circle: a -> b -> a'],
    ['x: "@"\na: rule:b', 'policy: line 2: a: expected a rule b, or a rule default; there is neither'],
    ['['.repeat(50_000), 'policy: line 1: expected YAML or JSON: '],
  ])('%j is refused', (text, message) => {
    expect(refusal(() => parsePolicy('policy', text))).toContain(message)
  })

  it('names every rule that is wrong', () => {
    expect(refusal(() => parsePolicy('policy', 'a: x\nb: "@"\nc: y')).split('\n')).toEqual([
      expect.stringMatching(/^policy: line 1: a: /),
      expect.stringMatching(/^policy: line 3: c: /),
    ])
  })

  it('does not grow beyond its size by aliases', () => {
    const row = `[${'"role:a",'.repeat(100)}]`
    const rows = `[${'*row,'.repeat(200)}]`
    expect(refusal(() => parsePolicy('policy', `row: &row ${row}\nrows: ${rows}`))).toContain('at most 10000 checks')
  })
})

interface Watched {
  readonly path: string
  readonly logged: readonly string[]
  rules(): RuleSet
  /** Lets a second pass. */
  wait(): void
}

function watch(text: string): Watched {
  const directory = mkdtempSync(join(tmpdir(), 'mullion-policy-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'policy.yaml')
  writeFileSync(path, text)
  const logged: string[] = []
  const log = {
    info: (_fields: object, message: string) => void logged.push(`info: ${message}`),
    error: ({ err }: { err?: Error }, message: string) =>
      void logged.push(`error: ${message}: ${err?.message.replace(directory, '')}`),
  }
  let now = 0
  const rules = policyFile(path, { log, nowMs: () => now })
  return { path, logged, rules, wait: () => void (now += 1_000) }
}

const READ_AGAIN = 'info: the policy file was read again'
const KEPT = 'error: the policy file cannot be used: the last good rules stay'

describe('a policy file that changes', () => {
  it('counts once a second has passed, and rules that it lacks are gone', () => {
    const watched = watch('a: "@"\nb: "@"')
    writeFileSync(watched.path, 'a: role:boss')
    expect(watched.rules().passes('b', MEMBER)).toBe(true)
    watched.wait()
    expect(['a', 'b'].map((rule) => watched.rules().passes(rule, MEMBER))).toEqual([false, false])
    expect(watched.rules().passes('a', BOSS)).toBe(true)
    expect(watched.logged).toEqual([READ_AGAIN])
  })

  it('is looked at once a second at most', () => {
    const watched = watch('a: "@"')
    watched.wait()
    expect(watched.rules().passes('a', MEMBER)).toBe(true)
    writeFileSync(watched.path, 'a: "!"')
    expect(watched.rules().passes('a', MEMBER)).toBe(true)
    watched.wait()
    expect(watched.rules().passes('a', MEMBER)).toBe(false)
  })

  it('is noticed when size and time stay what they were', () => {
    const watched = watch('a: "@"')
    const at = new Date()
    for (const [text, expected] of [
      ['a: "!"', false],
      ['a: "@"', true],
      ['a: "!"', false],
    ] as const) {
      writeFileSync(watched.path, text)
      utimesSync(watched.path, at, at)
      watched.wait()
      expect(watched.rules().passes('a', MEMBER)).toBe(expected)
    }
  })

  it('is replaced by renaming another one', () => {
    const watched = watch('a: "@"')
    writeFileSync(`${watched.path}.new`, 'a: "!"')
    utimesSync(`${watched.path}.new`, new Date(0), new Date(0))
    renameSync(`${watched.path}.new`, watched.path)
    watched.wait()
    expect(watched.rules().passes('a', MEMBER)).toBe(false)
  })

  it('keeps the last good rules while it is wrong, and says so once', () => {
    const watched = watch('a: role:boss')
    writeFileSync(watched.path, 'a: nonsense')
    for (let second = 0; second < 5; second++) {
      watched.wait()
      expect(watched.rules().passes('a', BOSS)).toBe(true)
      expect(watched.rules().passes('a', MEMBER)).toBe(false)
    }
    expect(watched.logged).toEqual([expect.stringMatching(`^${KEPT}: /policy.yaml: line 1: a: expected a check`)])
    writeFileSync(watched.path, 'a: role:member')
    watched.wait()
    expect(watched.rules().passes('a', MEMBER)).toBe(true)
    expect(watched.logged.at(-1)).toBe(READ_AGAIN)
  })

  it.each([
    ['is gone', (path: string) => unlinkSync(path), 'no such file'],
    ['is empty for a moment', (path: string) => writeFileSync(path, ''), 'expected rules by their names'],
    [
      'is too large',
      (path: string) => writeFileSync(path, `# ${'x'.repeat(300_000)}`),
      'expected at most 262144 bytes',
    ],
    ['is no text', (path: string) => writeFileSync(path, Buffer.of(0xff, 0xfe)), 'expected UTF-8 text'],
    [
      'is a directory',
      (path: string) => {
        unlinkSync(path)
        mkdirSync(path)
      },
      'expected a regular file',
    ],
  ])('keeps the last good rules while it %s, and says so once', (_what, spoil, reason) => {
    const watched = watch('a: role:boss')
    spoil(watched.path)
    for (let second = 0; second < 3; second++) {
      watched.wait()
      expect(watched.rules().passes('a', BOSS)).toBe(true)
    }
    expect(watched.logged).toEqual([`${KEPT}: /policy.yaml: ${watched.logged[0]?.split('.yaml: ')[1]}`])
    expect(watched.logged[0]).toContain(reason)
    rmSync(watched.path, { recursive: true, force: true })
    writeFileSync(watched.path, 'a: role:boss')
    watched.wait()
    expect(watched.rules().passes('a', BOSS)).toBe(true)
    expect(watched.logged.slice(1)).toEqual([READ_AGAIN])
  })

  it('is not logged when only its time changed', () => {
    const watched = watch('a: "@"')
    utimesSync(watched.path, new Date(0), new Date(0))
    watched.wait()
    watched.rules()
    chmodSync(watched.path, 0o600)
    watched.wait()
    expect(watched.rules().passes('a', MEMBER)).toBe(true)
    expect(watched.logged).toEqual([])
  })
})

describe('a policy file that cannot be used at the start', () => {
  it('is named with what was expected', () => {
    const log = { info() {}, error() {} }
    expect(refusal(() => policyFile('/nonexistent/policy.json', { log }))).toBe(
      '/nonexistent/policy.json: no such file',
    )
    expect(refusal(() => policyFile(tmpdir(), { log }))).toBe(`${tmpdir()}: expected a regular file`)
  })
})
