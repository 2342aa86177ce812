import { z } from 'zod'
import { configSchema } from './schema.ts'

/** One key of the configuration as an operator sees it. */
export interface ConfigKey {
  /** As in the file, such as `limits.api_limit_max`. */
  readonly name: string
  /** Path in the parsed configuration. */
  readonly path: readonly string[]
  readonly variable: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array'
  readonly values: readonly string[] | undefined
  readonly fallback: unknown
  readonly description: string
  readonly secret: boolean
}

interface JsonSchema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly description?: string
  readonly secret?: boolean
}

/** Every key outside the stores, in the order of the schema. */
export const CONFIG_KEYS: readonly ConfigKey[] = keysOf(z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema, [])

/** The sections of the file, stores included. */
export const SECTIONS: readonly string[] = [...new Set(CONFIG_KEYS.flatMap(({ path }) => path.slice(0, -1))), 'stores']

/** `apiLimitMax` → `api_limit_max`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** `api_limit_max` → `apiLimitMax`. */
export function camelCase(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** `['limits', 'api_limit_max']` → `MULLION_LIMITS_API_LIMIT_MAX`. */
export function variableName(path: readonly string[]): string {
  return ['MULLION', ...path].join('_').replaceAll('-', '_').toUpperCase()
}

function keysOf(schema: JsonSchema, path: readonly string[]): ConfigKey[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const at = [...path, name]
    if (property.type !== 'object') return [keyOf(at, property)]
    return property.properties ? keysOf(property, at) : []
  })
}

function keyOf(path: readonly string[], property: JsonSchema): ConfigKey {
  const names = path.map(snakeCase)
  return {
    name: names.join('.'),
    path,
    variable: variableName(names),
    type: property.type as ConfigKey['type'],
    values: property.enum,
    fallback: property.default,
    description: property.description ?? '',
    secret: property.secret === true,
  }
}
