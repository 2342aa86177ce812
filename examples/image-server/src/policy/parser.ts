import { CREDENTIALS, type Check, type Credential } from './check.ts'
import { RuleError } from './rule-error.ts'
import { parseTemplate } from './template.ts'

/** What a file may hold as a rule: text, or the older list of lists. */
export type RuleSource = string | readonly (string | readonly string[])[]

const MAX_LENGTH = 10_000
const MAX_DEPTH = 50

/**
 * Parses one rule of oslo.policy's language, in time linear to its length. An empty rule lets everybody. Throws
 * RuleError where oslo.policy would log and refuse everybody: a rule that its author did not mean helps nobody.
 */
export function parseRule(source: RuleSource): Check {
  return typeof source === 'string' ? parseText(source) : parseList(source)
}

function parseText(text: string): Check {
  if (text === '') return ALWAYS
  if (text.length > MAX_LENGTH) throw new RuleError(`expected at most ${MAX_LENGTH} characters, got ${text.length}`)
  const cursor: Cursor = { tokens: tokenize(text), at: 0 }
  const check = parseAny(cursor, 0)
  const rest = cursor.tokens[cursor.at]
  if (rest !== undefined) throw new RuleError(`expected "and", "or" or the end of the rule, got ${quoted(rest)}`)
  return check
}

/** The outer list is joined by "or", each inner one by "and"; inner lists without a check count for nothing. */
function parseList(rows: readonly (string | readonly string[])[]): Check {
  if (rows.length === 0) return ALWAYS
  const alternatives = rows.filter((row) => row.length > 0).map((row) => (typeof row === 'string' ? [row] : row))
  return joined(
    'any',
    alternatives.map((row) => joined('all', row.map(parseListed))),
  )
}

/** Blanks are part of the check here; `and` and `or` can only be a mistake. */
function parseListed(text: string): Check {
  if (/\s(?:and|or)\s/i.test(text))
    throw new RuleError(`expected one check in each text of a list, got ${quoted(text)}`)
  return parseCheck(text)
}

const ALWAYS: Check = { kind: 'always' }

interface Cursor {
  readonly tokens: readonly string[]
  at: number
}

/** Parentheses count only at the ends of a word, so that `%(name)s` needs no quotes (oslo_policy/_parser.py). */
function tokenize(text: string): string[] {
  const tokens: string[] = []
  for (const word of text.split(/\s+/)) {
    let start = 0
    let end = word.length
    while (word[start] === '(') start++
    while (end > start && word[end - 1] === ')') end--
    for (let i = 0; i < start; i++) tokens.push('(')
    if (end > start) tokens.push(word.slice(start, end))
    for (let i = end; i < word.length; i++) tokens.push(')')
  }
  return tokens
}

function parseAny(cursor: Cursor, depth: number): Check {
  const checks = [parseAll(cursor, depth)]
  while (taken(cursor, 'or')) checks.push(parseAll(cursor, depth))
  return joined('any', checks)
}

function parseAll(cursor: Cursor, depth: number): Check {
  const checks = [parseOne(cursor, depth)]
  while (taken(cursor, 'and')) checks.push(parseOne(cursor, depth))
  return joined('all', checks)
}

function parseOne(cursor: Cursor, depth: number): Check {
  if (depth > MAX_DEPTH) throw new RuleError(`expected at most ${MAX_DEPTH} levels of parentheses and "not"`)
  if (taken(cursor, 'not')) return { kind: 'not', check: parseOne(cursor, depth + 1) }
  if (taken(cursor, '(')) {
    const check = parseAny(cursor, depth + 1)
    if (!taken(cursor, ')')) throw new RuleError(`expected ")", got ${quoted(cursor.tokens[cursor.at])}`)
    return check
  }
  const token = cursor.tokens[cursor.at]
  if (token === undefined || /^(and|or|\))$/i.test(token)) throw new RuleError(`expected a check, got ${quoted(token)}`)
  cursor.at++
  return parseCheck(token)
}

function taken(cursor: Cursor, token: string): boolean {
  if (cursor.tokens[cursor.at]?.toLowerCase() !== token) return false
  cursor.at++
  return true
}

function joined(kind: 'all' | 'any', checks: readonly Check[]): Check {
  const [only] = checks
  if (only === undefined) return { kind: 'never' }
  return checks.length === 1 ? only : { kind, checks }
}

function parseCheck(text: string): Check {
  if (text === '@') return ALWAYS
  if (text === '!') return { kind: 'never' }
  const at = text.indexOf(':')
  if (at < 1) throw new RuleError(`expected a check such as role:NAME, rule:NAME, @ or !, got ${quoted(text)}`)
  const kind = text.slice(0, at)
  const match = text.slice(at + 1)
  if (match === '') throw new RuleError(`expected something after the colon of ${quoted(text)}`)
  if (kind === 'http' || kind === 'https') throw new RuleError(REMOTE)
  if (kind === 'rule') return { kind, name: match }
  const value = parseTemplate(match)
  if (kind === 'role') return { kind, role: value }
  const literal = literalText(kind)
  if (literal !== undefined) return { kind: 'literal', text: literal, value }
  if (Object.hasOwn(CREDENTIALS, kind)) return { kind: 'credential', name: kind as Credential, value }
  if (ELSEWHERE.has(kind)) return { kind: 'never' }
  throw new RuleError(
    `expected role, rule, a literal such as 'text' or True, or one of ${Object.keys(CREDENTIALS).join(', ')} ` +
      `before the colon, got ${quoted(text)}`,
  )
}

/** A Python literal as Python prints it, undefined for a name. */
function literalText(kind: string): string | undefined {
  if (/^(True|False|None|-?(0|[1-9]\d{0,14}))$/.test(kind)) return kind
  return /^(?:'([^'\\]*)'|"([^"\\]*)")$/.exec(kind)?.slice(1).join('')
}

/** What callers of other services have (oslo_context/context.py). Nobody has it here, so it equals nothing. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'system_scope',
  'domain_id',
  'domain_name',
  'user_domain_id',
  'user_domain_name',
  'project_domain_id',
  'project_domain_name',
  'user_domain',
  'project_domain',
  'is_admin_project',
  'service_user_id',
  'service_project_id',
  'service_roles',
])

const REMOTE =
  'http: checks ask another server for each decision, which this one does not do; ' +
  'write the condition with role:, rule: and %(name)s instead'

function quoted(token: string | undefined): string {
  return token === undefined ? 'the end of the rule' : JSON.stringify(token)
}
