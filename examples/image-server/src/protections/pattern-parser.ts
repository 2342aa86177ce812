import { PatternError } from './pattern-error.ts'
import { anyOf, CLASSES, CONTROLS, foldCase, type Has, negated, only, range } from './pattern-set.ts'
import { isWord, type Spot } from './spot.ts'

/** A regular expression, parsed. Groups are gone: nothing is captured. */
export type PatternNode =
  | { readonly kind: 'set'; readonly has: Has }
  | { readonly kind: 'at'; readonly holds: (spot: Spot) => boolean }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly least: number; readonly most: number | undefined }

const MAX_LENGTH = 1_000
const MAX_DEPTH = 50
const MAX_REPEAT = 1_000

/**
 * Parses what Python's `re` calls a pattern, with ASCII classes. Left out, and refused: references back and looks
 * ahead or behind, which no search in linear time has, and flags other than a leading `(?i)`. Throws PatternError.
 */
export function parsePattern(pattern: string): PatternNode {
  if (pattern.length > MAX_LENGTH) throw new PatternError(`expected at most ${MAX_LENGTH} characters`)
  const ignoresCase = pattern.startsWith('(?i)')
  const cursor: Cursor = { text: pattern, at: ignoresCase ? 4 : 0, ignoresCase }
  const node = parseChoice(cursor, 0)
  if (cursor.at < pattern.length) throw new PatternError(`a ")" without its "(" at character ${cursor.at + 1}`)
  return node
}

interface Cursor {
  readonly text: string
  readonly ignoresCase: boolean
  at: number
}

function parseChoice(cursor: Cursor, depth: number): PatternNode {
  if (depth > MAX_DEPTH) throw new PatternError(`expected at most ${MAX_DEPTH} groups in one another`)
  const parts = [parseSequence(cursor, depth)]
  while (taken(cursor, '|')) parts.push(parseSequence(cursor, depth))
  return parts.length === 1 && parts[0] ? parts[0] : { kind: 'choice', parts }
}

function parseSequence(cursor: Cursor, depth: number): PatternNode {
  const parts: PatternNode[] = []
  while (cursor.at < cursor.text.length && !/[|)]/.test(cursor.text.charAt(cursor.at))) {
    parts.push(repeated(cursor, parseAtom(cursor, depth)))
  }
  return { kind: 'sequence', parts }
}

function repeated(cursor: Cursor, part: PatternNode): PatternNode {
  const bounds = repetition(cursor)
  if (!bounds) return part
  if (part.kind === 'at') throw new PatternError('a repetition of nothing')
  taken(cursor, '?') // how greedy it is changes what a match is, not whether there is one
  if (repetition(cursor)) throw new PatternError('a repetition of a repetition; use a group')
  return { kind: 'repeat', part, ...bounds }
}

function repetition(cursor: Cursor): { least: number; most: number | undefined } | undefined {
  if (taken(cursor, '*')) return { least: 0, most: undefined }
  if (taken(cursor, '+')) return { least: 1, most: undefined }
  if (taken(cursor, '?')) return { least: 0, most: 1 }
  const [written, low, high] = matched(cursor, BRACES) ?? []
  if (written === undefined) return undefined
  const least = Number(low)
  const most = high === undefined ? least : high === ',' ? undefined : Number(high.slice(1))
  if (Math.max(least, most ?? 0) > MAX_REPEAT) throw new PatternError(`expected at most ${MAX_REPEAT} repetitions`)
  if (most !== undefined && most < least) throw new PatternError(`${written}: the bounds are the wrong way round`)
  return { least, most }
}

/** Other braces mean themselves, as in Python. */
const BRACES = /\{(?=[\d,])(\d*)(,\d*)?\}/y

function parseAtom(cursor: Cursor, depth: number): PatternNode {
  const character = next(cursor)
  switch (character) {
    case '(':
      return parseGroup(cursor, depth)
    case '[':
      return { kind: 'set', has: parseClass(cursor) }
    case '.':
      return { kind: 'set', has: (code) => code !== 0x0a }
    case '^':
      return { kind: 'at', holds: atStart }
    case '$':
      return { kind: 'at', holds: (spot) => atEnd(spot) || (spot.isLast && spot.code === 0x0a) }
    case '\\':
      return parseEscape(cursor)
    case '*':
    case '+':
    case '?':
      throw new PatternError(`a repetition of nothing at character ${cursor.at}`)
    default:
      return set(cursor, only(codeOf(character)))
  }
}

function parseGroup(cursor: Cursor, depth: number): PatternNode {
  const kind = matched(cursor, /\?(?::|P<[A-Za-z_]\w*>)/y)
  if (!kind && taken(cursor, '?')) {
    throw new PatternError(
      `"(?${cursor.text.slice(cursor.at, cursor.at + 2)}": of these only (?:…) and (?P<name>…), and (?i) in front`,
    )
  }
  const node = parseChoice(cursor, depth + 1)
  if (!taken(cursor, ')')) throw new PatternError('a "(" without its ")"')
  // a sequence, so that `(^)*` repeats a group as in Python
  return { kind: 'sequence', parts: [node] }
}

function parseEscape(cursor: Cursor): PatternNode {
  const holds = ASSERTIONS[cursor.text.charAt(cursor.at)]
  if (!holds) return set(cursor, readEscape(cursor).has)
  cursor.at++
  return { kind: 'at', holds }
}

interface Member {
  readonly has: Has
  /** Undefined for a class of many. */
  readonly code: number | undefined
}

function readEscape(cursor: Cursor): Member {
  const [, hex] = matched(cursor, /(?:x([0-9a-f]{2})|u([0-9a-f]{4}))/iy)?.filter((part) => part !== undefined) ?? []
  if (hex !== undefined) return member(Number.parseInt(hex, 16))
  const character = next(cursor)
  const has = CLASSES[character]
  if (has) return { has, code: undefined }
  const control = CONTROLS[character]
  if (control !== undefined) return member(control)
  if (/[A-Za-z0-9]/.test(character)) throw new PatternError(`"\\${character}" is not supported`)
  return member(codeOf(character))
}

function parseClass(cursor: Cursor): Has {
  const not = taken(cursor, '^')
  const sets: Has[] = []
  do sets.push(classMember(cursor))
  while (!taken(cursor, ']'))
  const has = cursor.ignoresCase ? foldCase(anyOf(sets)) : anyOf(sets)
  return not ? negated(has) : has
}

/** A character, a class or a range; a hyphen at an end of the brackets means itself. */
function classMember(cursor: Cursor): Has {
  const low = bracketed(cursor)
  if (!/^-[^\]]/.test(cursor.text.slice(cursor.at, cursor.at + 2))) return low.has
  cursor.at++
  const high = bracketed(cursor)
  if (low.code === undefined || high.code === undefined || low.code > high.code) {
    throw new PatternError('a range in [] that does not lead from one character up to another')
  }
  return range(low.code, high.code)
}

function bracketed(cursor: Cursor): Member {
  if (cursor.at >= cursor.text.length) throw new PatternError('a "[" without its "]"')
  if (matched(cursor, /\\b/y)) return member(0x08)
  return taken(cursor, '\\') ? readEscape(cursor) : member(codeOf(next(cursor)))
}

function member(code: number): Member {
  return { has: only(code), code }
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0
}

function set(cursor: Cursor, has: Has): PatternNode {
  return { kind: 'set', has: cursor.ignoresCase ? foldCase(has) : has }
}

const atStart = ({ isStart }: Spot): boolean => isStart
const atEnd = ({ code }: Spot): boolean => code === undefined
const atBorder = ({ afterWord, code }: Spot): boolean => afterWord !== isWord(code)

const ASSERTIONS: Readonly<Record<string, (spot: Spot) => boolean>> = {
  A: atStart,
  Z: atEnd,
  b: atBorder,
  B: (spot) => !atBorder(spot),
}

function next(cursor: Cursor): string {
  const code = cursor.text.codePointAt(cursor.at)
  if (code === undefined) throw new PatternError('a "\\" at its end')
  const character = String.fromCodePoint(code)
  cursor.at += character.length
  return character
}

function taken(cursor: Cursor, character: string): boolean {
  if (cursor.text[cursor.at] !== character) return false
  cursor.at++
  return true
}

function matched(cursor: Cursor, expression: RegExp): RegExpExecArray | undefined {
  expression.lastIndex = cursor.at
  const found = expression.exec(cursor.text)
  if (found) cursor.at += found[0].length
  return found ?? undefined
}
