import { parse } from 'smol-toml'
import { isTable, type RawTable, refusal } from './document.ts'
import { camelCase, CONFIG_KEYS, type ConfigKey, SECTIONS, variableName } from './keys.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The file overridden by the environment. */
export interface Overlay {
  readonly tables: RawTable
  /** Path, joined by dots → the variable it came from. */
  readonly origins: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

/** Variables that are not keys, yet the server's own. */
const OTHER_VARIABLES = ['MULLION_CONFIG']

/**
 * Lays `MULLION_…` variables over the tables of the file. A variable below a section that names no key is refused as a
 * mistyped key; any other unknown one only warns, because programs around the server have variables of their own.
 */
export function overlay(file: RawTable, env: Environment): Overlay {
  const tables: RawTable = structuredClone(file)
  const origins = new Map<string, string>()
  const warnings: string[] = []
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('MULLION_') || text === undefined || text === '' || OTHER_VARIABLES.includes(variable))
      continue
    const target = targetOf(variable, tables)
    if (target !== undefined) {
      assign(tables, target.path, target.read(text))
      origins.set(target.path.join('.'), variable)
    } else if (SECTIONS.some((section) => variable.startsWith(`${variableName([section])}_`))) {
      throw refusal(variable, unknownKey(variable, tables))
    } else warnings.push(`${variable} is no setting of this server; it was ignored`)
  }
  return { tables, origins, warnings }
}

/** The tables of the stores, those that exist without being mentioned included. */
export function storeTables(tables: RawTable): RawTable {
  const { stores } = tables
  return isTable(stores) ? stores : {}
}

interface Target {
  readonly path: readonly string[]
  readonly read: (text: string) => unknown
}

function targetOf(variable: string, tables: RawTable): Target | undefined {
  const key = CONFIG_KEYS.find((candidate) => candidate.variable === variable)
  if (key) return { path: key.path, read: (text) => valueOf(text, key.type) }
  const store = storeNames(tables).find((name) => variable.startsWith(`${variableName(['stores', name])}_`))
  if (store === undefined) return undefined
  const rest = variable.slice(variableName(['stores', store]).length + 1)
  return rest === '' ? undefined : { path: ['stores', store, camelCase(rest.toLowerCase())], read: tomlValue }
}

/** Longest first: of the stores `s3` and `s3_cold`, MULLION_STORES_S3_COLD_DIR means the second. */
function storeNames(tables: RawTable): string[] {
  return Object.keys(storeTables(tables)).toSorted((a, b) => b.length - a.length)
}

/** Text that does not fit the type stays text, for validation to refuse with the name of the key. */
function valueOf(text: string, type: ConfigKey['type']): unknown {
  if (type === 'array')
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  return text
}

/** The type of a plugin's key is not known here: TOML decides, and what is no TOML value is text. */
function tomlValue(text: string): unknown {
  try {
    return /[\r\n]/.test(text) ? text : parse(`value = ${text}`)['value']
  } catch {
    return text
  }
}

function assign(tables: RawTable, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path
  if (rest.length === 0) {
    tables[key] = value
    return
  }
  const next = isTable(tables[key]) ? tables[key] : {}
  tables[key] = next
  assign(next, rest, value)
}

function unknownKey(variable: string, tables: RawTable): string {
  if (!variable.startsWith('MULLION_STORES_')) return 'no such key; see --help for where all keys are listed'
  return `no such store; known: ${Object.keys(storeTables(tables)).join(', ')}`
}
