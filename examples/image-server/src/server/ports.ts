import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { openRegistry, type SqlConfig, type SqlRegistry } from '@mullion/sql'
import { createStores, type Stores } from 'mullion'
import type { Ports } from 'mullion/images'
import type { Logger } from 'pino'
import { logDataSent, logNotifier } from '../adapters/log-notifier.ts'
import { rulePolicy, type Rules } from '../adapters/rule-policy.ts'
import type { Config } from '../config/config.ts'
import { snakeCase } from '../config/keys.ts'
import { asInFile, sourceGuard, storeSpecs } from '../config/stores.ts'
import type { ServerPorts } from '../v1/context.ts'
import { sayTo } from './log.ts'

export interface OpenedPorts {
  readonly ports: Ports & ServerPorts
  /** To be closed before the registry: failing transfers still write to it. */
  readonly stores: Stores
  readonly registry: SqlRegistry
}

/** Opens the database below the data directory and every enabled store. Rejects `invalid_config`, or what a store rejects with. */
export async function openPorts(config: Config, log: Logger): Promise<OpenedPorts> {
  const specs = await storeSpecs(config)
  const registry = await openRegistry(sqlConfig(config))
  try {
    const stores = await createStores({ stores: specs, default: config.defaultStore, log: sayTo(log) }).catch(asInFile)
    const { images, members, tasks } = registry
    const ports: OpenedPorts['ports'] = {
      images,
      members,
      tasks,
      stores,
      notifier: logNotifier(log),
      policy: rulePolicy(rules(config)),
      now: () => new Date(),
      newId: randomUUID,
      storeNamed: (name) => storeNamed(config, name),
      checkSource: sourceGuard(config),
      dataSent: logDataSent(log),
    }
    return { ports, stores, registry }
  } catch (error) {
    await registry.close()
    throw error
  }
}

function sqlConfig({ dataDir, registry: { encryptionKeys, refusePlain } }: Config): SqlConfig {
  return {
    file: join(dataDir, 'registry.sqlite'),
    encryptionKeys: encryptionKeys.map((entry) => {
      const at = entry.indexOf('=')
      return { id: entry.slice(0, at), key: entry.slice(at + 1) }
    }),
    refusePlain,
  }
}

/** Requests name a store, or as in Glance a type: then it is the default store, if that is of the type. */
function storeNamed({ stores, defaultStore }: Config, name: string): string | undefined {
  if (Object.hasOwn(stores, name)) return stores[name]?.enabled ? name : undefined
  return stores[defaultStore]?.type === name ? defaultStore : undefined
}

function rules({ policy }: Config): Rules {
  return Object.fromEntries(Object.entries(policy).map(([action, roles]) => [snakeCase(action), roles])) as Rules
}
