import { readFileSync } from 'node:fs'
import { MullionError } from 'mullion'
import { parse, TomlError } from 'smol-toml'
import { camelCase, SECTIONS } from './keys.ts'

/** A table of the configuration before validation. */
export type RawTable = Record<string, unknown>

/** Reads a TOML file into tables with camel-case keys. Throws `invalid_config` in words for an operator. */
export function readDocument(file: string): RawTable {
  let tables: RawTable
  try {
    tables = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw refusal(file, reason(error))
  }
  return Object.fromEntries(Object.entries(tables).map(([key, value]) => section(file, key, value)))
}

/** An `invalid_config` error of the server itself, one issue a line. */
export function refusal(source: string | undefined, ...issues: readonly string[]): MullionError<'invalid_config'> {
  const lines = source === undefined ? issues : issues.map((issue) => `${source}: ${issue}`)
  return new MullionError('invalid_config', lines.join('\n'), { details: { plugin: 'image-server', issues: lines } })
}

export function isTable(value: unknown): value is RawTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function section(file: string, key: string, value: unknown): [string, unknown] {
  if (!isTable(value)) return [renamed(file, key), value]
  if (key !== 'stores') return [renamed(file, key), renamedKeys(file, value)]
  // the names of stores are the operator's own words: only what is inside them is renamed
  const stores = Object.entries(value).map(([name, table]) => [name, isTable(table) ? renamedKeys(file, table) : table])
  return [key, Object.fromEntries(stores)]
}

function renamedKeys(file: string, table: RawTable): RawTable {
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [renamed(file, key), value]))
}

/** One spelling only: a camel-case key would otherwise be taken beside its snake-case form. */
function renamed(file: string, key: string): string {
  if (!/[A-Z]/.test(key)) return camelCase(key)
  const kind = SECTIONS.includes(key.toLowerCase()) ? 'a section' : 'a key'
  throw refusal(file, `${key}: ${kind} is written in lower case with underscores`)
}

function reason(error: unknown): string {
  if (error instanceof TomlError) {
    const summary = error.message.split('\n', 1)[0] ?? ''
    return `line ${error.line}, column ${error.column}: ${summary.replace(/^Invalid TOML document: /, '')}`
  }
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'no such file'
  if (code === 'EACCES') return 'may not be read by this user'
  if (code === 'EISDIR') return 'is a directory'
  throw error
}
