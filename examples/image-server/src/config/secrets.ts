import { readFileSync } from 'node:fs'
import type { Environment } from './environment.ts'
import { refusal } from './document.ts'

const REFERENCE = /^(?:env:([A-Za-z_][A-Za-z0-9_]*)|file:(?!\/\/)(.+))$/

/**
 * The text itself, or what it refers to: `env:NAME` is a variable, `file:PATH` a file without its last line break
 * (a `file://` URL is no reference). Throws `invalid_config`; the message names the reference, never the secret.
 */
export function resolveSecret(text: string, env: Environment, where: string): string {
  const [, variable, path] = REFERENCE.exec(text) ?? []
  if (variable !== undefined) {
    const value = env[variable]
    if (value === undefined || value === '') throw refusal(where, `${text}: the environment variable is not set`)
    return value
  }
  return path === undefined ? text : fileContent(path, text, where)
}

/** The table with every text in it resolved, at any depth. */
export function resolveSecrets<T>(value: T, env: Environment, where: string): T {
  if (typeof value === 'string') return resolveSecret(value, env, where) as T
  if (Array.isArray(value)) return value.map((item: unknown) => resolveSecrets(item, env, where)) as T
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, resolveSecrets(item, env, `${where}.${key}`)]),
  ) as T
}

function fileContent(path: string, reference: string, where: string): string {
  let content: string
  try {
    content = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw refusal(where, `${reference}: ${(error as NodeJS.ErrnoException).code ?? 'cannot be read'}`)
  }
  if (content === '') throw refusal(where, `${reference}: the file is empty`)
  return content
}
