import { describe, expect, it } from 'vitest'
import { compilePattern } from '../../src/protections/pattern.ts'
import { PatternError } from '../../src/protections/pattern-error.ts'

function problem(pattern: string): string {
  try {
    compilePattern(pattern)
  } catch (error) {
    if (error instanceof PatternError) return error.message
    throw error
  }
  return expect.fail(`${pattern} was accepted`)
}

describe('a pattern is found', () => {
  it.each([
    ['x', ['x', 'axb'], ['', 'y', 'X']],
    ['^x_.*', ['x_', 'x_a'], ['ax_', 'x']],
    ['.*', ['', 'a'], []],
    ['^$', [''], ['a']],
    ['a$', ['a', 'ba', 'a\n'], ['ab', 'a\nb']],
    ['\\Aa\\Z', ['a'], ['a\n', 'ba']],
    ['a|bc', ['a', 'xbc'], ['b', 'c']],
    ['^(?:a|b)$', ['a', 'b'], ['c', 'ab']],
    ['^(?P<who>ab)+$', ['ab', 'abab'], ['aba']],
    ['^(ab)?c', ['c', 'abc'], ['ac']],
    ['^a{2}$', ['aa'], ['a', 'aaa']],
    ['^a{2,}$', ['aa', 'aaaa'], ['a']],
    ['^a{,2}$', ['', 'a', 'aa'], ['aaa']],
    ['^a{1,2}?$', ['a', 'aa'], ['', 'aaa']],
    ['^a{0}b$', ['b'], ['ab']],
    ['^a{}$', ['a{}'], ['a']],
    ['^a{x}$', ['a{x}'], ['ax']],
    ['^[abc-]+$', ['a', '-', 'cab'], ['d', '']],
    ['^[a-c_]+$', ['abc_'], ['d', '-']],
    ['^[^a-c]$', ['d', 'é'], ['a', '']],
    ['^[]a]$', [']', 'a'], ['b']],
    ['^[^]a]$', ['b'], [']']],
    ['^[\\d\\-x]+$', ['1-x'], ['a']],
    ['^[\\x41-\\x43]$', ['B'], ['D']],
    ['\\.', ['a.b'], ['ab']],
    ['\\u00e9', ['é'], ['e']],
    ['^\\w\\s\\d$', ['a 1'], ['a1', 'é 1']],
    ['^\\W\\S\\D$', ['-ab'], ['aab']],
    ['\\bfoo\\b', ['foo', 'a foo b'], ['foobar', 'x_foo']],
    ['o\\B', ['ox'], ['o', 'to']],
    ['(?i)^Foo[A-C]$', ['foob', 'FOOB'], ['food']],
    ['(?i)^[^a]$', ['b', 'B'], ['a', 'A']],
    ['(a*)*b', ['b', 'aab'], ['a']],
    ['^(a|a)*$', ['', 'aaa'], ['b']],
    ['^(|a)+$', ['', 'aa'], ['b']],
    ['((){3}){5}x', ['x'], ['y']],
    ['^😀.$', ['😀😀'], ['😀']],
  ])('as Python finds it: %j', (pattern, found, missed) => {
    const search = compilePattern(pattern)
    expect(found.filter((text) => !search(text))).toEqual([])
    expect(missed.filter((text) => search(text))).toEqual([])
  })

  it('as JavaScript finds it where both languages agree', () => {
    const random = seeded(7)
    const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)] ?? ''
    const atom = (depth: number): string =>
      depth === 0 || random() < 0.6 ? pick(['a', 'b', '.', '[ab]', '[^a]', '\\w']) : `(?:${choice(depth - 1)})`
    const piece = (depth: number): string => atom(depth) + pick(['', '', '*', '+', '?', '{2}', '{0,2}', '{1,}'])
    const sequence = (depth: number): string => piece(depth) + (random() < 0.6 ? sequence(depth) : '')
    const choice = (depth: number): string => sequence(depth) + (random() < 0.3 ? `|${sequence(depth)}` : '')
    for (let run = 0; run < 2_000; run++) {
      const pattern = pick(['', '^']) + choice(2) + pick(['', '$'])
      const text = Array.from({ length: Math.floor(random() * 8) }, () => pick(['a', 'b', 'c'])).join('')
      expect([pattern, text, compilePattern(pattern)(text)]).toEqual([pattern, text, new RegExp(pattern).test(text)])
    }
  })
})

describe('a refused pattern', () => {
  it.each([
    ['(a', 'a "(" without its ")"'],
    ['a)', 'a ")" without its "("'],
    ['[a', 'a "[" without its "]"'],
    ['[', 'a "[" without its "]"'],
    ['a\\', 'a "\\" at its end'],
    ['*a', 'a repetition of nothing'],
    ['a|*', 'a repetition of nothing'],
    ['^*', 'a repetition of nothing'],
    ['a**', 'a repetition of a repetition'],
    ['a{2}{3}', 'a repetition of a repetition'],
    ['a++', 'a repetition of a repetition'],
    ['a{3,2}', '{3,2}: the bounds are the wrong way round'],
    ['a{1001}', 'expected at most 1000 repetitions'],
    ['[b-a]', 'a range in []'],
    ['[a-\\d]', 'a range in []'],
    ['(a)\\1', '"\\1" is not supported'],
    ['\\p{L}', '"\\p" is not supported'],
    ['(?=a)', '"(?=a": of these only'],
    ['(?!a)', 'of these only'],
    ['(?<=a)b', 'of these only'],
    ['(?x)a', 'of these only'],
    ['a(?i)b', 'of these only'],
    ['(?P=x)', 'of these only'],
    ['(((a{100}){100}){100})', 'the pattern is too large'],
    ['('.repeat(60), 'expected at most 50 groups in one another'],
    ['a'.repeat(1_001), 'expected at most 1000 characters'],
  ])('%j: %s', (pattern, message) => {
    expect(problem(pattern)).toContain(message)
  })
})

describe('the time of a search', () => {
  it.each([
    '(a+)+$',
    '^(a|a)*$',
    '(a*)*b',
    '(a|aa)+$',
    'a*a*a*a*a*a*b',
    '(.*)*x',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(?:a?){250}a{250}b',
  ])('is bounded by pattern and name, whatever the pattern (§4.5): %s', (pattern) => {
    const search = compilePattern(pattern)
    const before = process.cpuUsage()
    for (let run = 0; run < 20; run++) search(`${'a'.repeat(254)}!`)
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(3_000)
  })
})

/** Park and Miller's generator: the same numbers each time. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
