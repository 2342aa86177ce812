import type { Actor } from 'mullion/images'
import { IniError, readIni, type Section } from './ini.ts'
import { compilePattern, type Search } from './pattern.ts'
import { PatternError } from './pattern-error.ts'

export const OPERATIONS = ['create', 'read', 'update', 'delete'] as const
export type Operation = (typeof OPERATIONS)[number]

/** Who may do what with custom properties. */
export interface PropertyProtections {
  may(operation: Operation, property: string, actor: Actor): boolean | Promise<boolean>
}

/** What permissions are written in: names of roles, or the name of one rule of the policy. */
export type RuleFormat = 'roles' | 'policies'

/** Whether a rule of the policy lets the actor pass. */
export type Allows = (rule: string, actor: Actor) => boolean

/** No name is longer (glance/db/sqlalchemy/models.py, ImageProperty). */
const LONGEST_NAME = 255
const MAX_SECTIONS = 200

/**
 * Protections as an INI file words them: the first section whose name, a regular expression, is found in the name of a
 * property decides; a property that none matches may not be touched; a file without sections protects nothing. Being
 * an administrator changes nothing (glance/common/property_utils.py). Throws ProtectionError for what is wrong first.
 */
export function readProtections(text: string, format: RuleFormat, allows: Allows): PropertyProtections {
  const rules = sectionsOf(text).map((section) => readRule(section, format, allows))
  return {
    may(operation, property, actor) {
      if (rules.length === 0) return true
      if (property.length > LONGEST_NAME) return false
      return rules.find(({ matches }) => matches(property))?.permits[operation](actor) ?? false
    },
  }
}

/** What is wrong with a file of protections, in words for its author; the message begins with the line. */
export class ProtectionError extends Error {
  override readonly name = 'ProtectionError'
}

type Permits = (actor: Actor) => boolean

interface Rule {
  readonly matches: Search
  readonly permits: Readonly<Record<Operation, Permits>>
}

const EVERYBODY: Permits = () => true
const NOBODY: Permits = () => false

function sectionsOf(text: string): readonly Section[] {
  try {
    const sections = readIni(text)
    if (sections.length <= MAX_SECTIONS) return sections
    throw new ProtectionError(`expected at most ${MAX_SECTIONS} sections, got ${sections.length}`)
  } catch (error) {
    throw error instanceof IniError ? new ProtectionError(error.message) : error
  }
}

function readRule(section: Section, format: RuleFormat, allows: Allows): Rule {
  const { name, line, values } = section
  if (name === 'DEFAULT') {
    throw new ProtectionError(`line ${line}: [DEFAULT] has no meaning here; write its keys into each section`)
  }
  for (const [key, entry] of values) {
    if ((OPERATIONS as readonly string[]).includes(key)) continue
    throw new ProtectionError(`line ${entry.line}: [${name}] ${key}: unknown key; known here: ${OPERATIONS.join(', ')}`)
  }
  const permit = (operation: Operation): Permits => {
    const entry = values.get(operation)
    if (!entry)
      throw new ProtectionError(`line ${line}: [${name}] expected the key ${operation}; empty, it is nobody's`)
    try {
      return format === 'roles' ? byRoles(entry.value) : byPolicy(entry.value, allows)
    } catch (error) {
      if (!(error instanceof ProtectionError)) throw error
      throw new ProtectionError(`line ${entry.line}: [${name}] ${operation}: ${error.message}`)
    }
  }
  const permits = {
    create: permit('create'),
    read: permit('read'),
    update: permit('update'),
    delete: permit('delete'),
  }
  return { matches: compiled(section), permits }
}

function compiled({ name, line }: Section): Search {
  try {
    return compilePattern(name)
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    throw new ProtectionError(`line ${line}: [${name}] expected a regular expression: ${error.message}`)
  }
}

function byRoles(value: string): Permits {
  const names = value.split(',').map((name) => name.trim().toLowerCase())
  const roles = new Set(names.filter((name) => name !== ''))
  if (roles.has('@') && roles.has('!')) throw new ProtectionError('expected @ (everybody) or ! (nobody), got both')
  if (roles.has('!')) return NOBODY
  if (roles.has('@')) return EVERYBODY
  return (actor) => actor.roles.some((role) => roles.has(role.toLowerCase()))
}

function byPolicy(value: string, allows: Allows): Permits {
  if (value === '' || value === '!') return NOBODY
  if (value === '@') return EVERYBODY
  if (/[\s,]/.test(value)) {
    throw new ProtectionError(
      `expected the name of one rule of the policy, got ${JSON.stringify(value)}; combine rules in the policy`,
    )
  }
  return (actor) => allows(value, actor)
}
