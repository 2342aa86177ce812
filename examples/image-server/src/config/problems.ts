import { isTable, type RawTable } from './document.ts'
import { CONFIG_KEYS, snakeCase } from './keys.ts'

/** The part of a validation issue that is used; zod's and every Standard Schema's have it. */
export interface Issue {
  readonly message: string
  readonly path: readonly PropertyKey[]
  readonly code?: string | undefined
  readonly keys?: readonly string[]
}

/** Says for each issue where the value came from, which key it is, what is wrong and which value was met. */
export function problems(
  issues: readonly Issue[],
  tables: RawTable,
  sourceOf: (path: readonly string[]) => string,
): readonly string[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map(String)
    if (issue.code === 'unrecognized_keys') {
      return (issue.keys ?? []).map(
        (key) => `${sourceOf([...path, key])}: ${keyName([...path, key])}: unknown key${known(path)}`,
      )
    }
    return [`${sourceOf(path)}: ${keyName(path)}: ${expectation(issue.message)}${met(path, tables)}`]
  })
}

/** `['limits', 'apiLimitMax']` → `limits.api_limit_max`; the names of stores stay as they are. */
export function keyName(path: readonly string[]): string {
  return path
    .map((part, index) =>
      /^\d+$/.test(part) ? `[${part}]` : path[0] === 'stores' && index === 1 ? part : snakeCase(part),
    )
    .join('.')
    .replaceAll('.[', '[')
}

function expectation(message: string): string {
  const text = message.replace(/^(Invalid input|Invalid option|Too small|Too big): /, '').replace(/, received .*$/, '')
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function met(path: readonly string[], tables: RawTable): string {
  if (CONFIG_KEYS.some((key) => key.secret && key.path.every((part, index) => part === path[index]))) return ''
  const value = path.reduce<unknown>(
    (at, key) => (isTable(at) || Array.isArray(at) ? (at as RawTable)[key] : undefined),
    tables,
  )
  if (value === undefined) return ', got nothing'
  const text = JSON.stringify(value)
  return `, got ${text.length > 80 ? `${text.slice(0, 77)}...` : text}`
}

function known(path: readonly string[]): string {
  const siblings = CONFIG_KEYS.filter((key) => key.path.slice(0, -1).join('.') === path.join('.')).map(({ path: at }) =>
    snakeCase(at.at(-1) ?? ''),
  )
  return path[0] === 'stores' ? '' : `; known here: ${siblings.join(', ')}`
}
