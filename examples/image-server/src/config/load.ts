import { join, resolve } from 'node:path'
import type { Config } from './config.ts'
import { readDocument, type RawTable, isTable, refusal } from './document.ts'
import { type Environment, overlay, storeTables } from './environment.ts'
import { checkIdentity, identitySecrets } from './identity.ts'
import { keyName, problems } from './problems.ts'
import { configSchema } from './schema.ts'
import { resolveSecret, resolveSecrets } from './secrets.ts'

export interface LoadedConfig {
  readonly config: Config
  readonly warnings: readonly string[]
}

/**
 * The configuration from a TOML file, if one is given, and the environment, which wins. Throws `invalid_config`; its
 * message has one line for each problem: source, key, what was expected, what was met.
 */
export function loadConfig(file: string | undefined, env: Environment): LoadedConfig {
  const { tables, origins, warnings } = overlay(withUsualStores(file === undefined ? {} : readDocument(file)), env)
  const sourceOf = (path: readonly string[]) => origins.get(path.join('.')) ?? file ?? 'configuration'
  const result = configSchema.safeParse(tables)
  if (!result.success) throw refusal(undefined, ...problems(result.error.issues, tables, sourceOf))
  const config = placed(resolved(result.data, env, sourceOf))
  checkDefaultStore(config, sourceOf(['defaultStore']))
  checkIdentity(config)
  return { config, warnings }
}

/** `file` and `http` are there without being mentioned, so that the server starts without a file. */
function withUsualStores(tables: RawTable): RawTable {
  const stores = storeTables(tables)
  if (tables['stores'] !== undefined && !isTable(tables['stores'])) return tables
  return { ...tables, stores: { ...stores, file: usual(stores['file'], 'file'), http: usual(stores['http'], 'http') } }
}

function usual(table: unknown, type: string): unknown {
  return table === undefined || isTable(table) ? { type, ...table } : table
}

function resolved(config: Config, env: Environment, sourceOf: (path: readonly string[]) => string): Config {
  const where = (...path: readonly string[]) => `${sourceOf(path)}: ${keyName(path)}`
  const stores = Object.entries(config.stores).map(([name, table]) => [
    name,
    resolveSecrets(table, env, where('stores', name)),
  ])
  const encryptionKeys = config.registry.encryptionKeys.map((entry) =>
    encryptionKey(entry, env, where('registry', 'encryptionKeys')),
  )
  const registry = {
    ...config.registry,
    encryptionKeys,
    token: resolveSecrets(config.registry.token, env, where('registry', 'token')),
  }
  const { webhookUrl, webhookSecrets, amqpUrls } = config.notifications
  const notifications = {
    ...config.notifications,
    webhookUrl: resolveSecrets(webhookUrl, env, where('notifications', 'webhookUrl')),
    webhookSecrets: resolveSecrets(webhookSecrets, env, where('notifications', 'webhookSecrets')),
    amqpUrls: resolveSecrets(amqpUrls, env, where('notifications', 'amqpUrls')),
  }
  const identity = identitySecrets(config, (text, ...path) => resolveSecrets(text, env, where(...path)))
  const database = {
    ...config.database,
    url: resolveSecrets(config.database.url, env, where('database', 'url')),
    tlsCa: resolveSecrets(config.database.tlsCa, env, where('database', 'tlsCa')),
    tlsCert: resolveSecrets(config.database.tlsCert, env, where('database', 'tlsCert')),
    tlsKey: resolveSecrets(config.database.tlsKey, env, where('database', 'tlsKey')),
  }
  return {
    ...config,
    ...identity,
    database,
    registry,
    notifications,
    stores: Object.fromEntries(stores) as Config['stores'],
  }
}

function encryptionKey(entry: string, env: Environment, where: string): string {
  const id = entry.slice(0, entry.indexOf('='))
  const key = resolveSecret(entry.slice(id.length + 1), env, `${where}: ${id}`)
  if (/^[A-Za-z0-9+/]{43}=$/.test(key)) return `${id}=${key}`
  throw refusal(where, `${id}: expected 32 bytes in base64, as \`openssl rand -base64 32\` prints them`)
}

/** The store `file` lies below the data directory unless it has a place of its own. */
function placed(config: Config): Config {
  const dataDir = resolve(config.dataDir)
  const file = config.stores['file']
  if (file?.type !== 'file' || file['dir'] !== undefined) return { ...config, dataDir }
  return { ...config, dataDir, stores: { ...config.stores, file: { ...file, dir: join(dataDir, 'images') } } }
}

function checkDefaultStore({ defaultStore, stores }: Config, source: string): void {
  const enabled = Object.keys(stores).filter((name) => stores[name]?.enabled)
  if (enabled.includes(defaultStore)) return
  const known = enabled.length === 0 ? 'none is enabled' : `enabled: ${enabled.join(', ')}`
  throw refusal(source, `default_store: no such store, got ${JSON.stringify(defaultStore)}; ${known}`)
}
