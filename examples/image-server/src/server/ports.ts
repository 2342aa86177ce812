import { randomUUID } from 'node:crypto'
import { join, resolve } from 'node:path'
import { openRegistry, type SqlRegistry } from '@mullion/sql'
import { createStores, type Stores } from 'mullion'
import type { Ports } from 'mullion/images'
import type { Logger } from 'pino'
import { type DiskCache, openDiskCache } from '../cache/index.ts'
import type { Config } from '../config/config.ts'
import { asInFile, sourceGuard, storeSpecs } from '../config/stores.ts'
import type { ServerNotifier } from '../notifications/notifier.ts'
import { openNotifier } from '../notifications/open.ts'
import { openAccess } from '../policy/access.ts'
import { pipelineOf } from '../pipeline/pipeline.ts'
import type { AdminRule } from '../policy/policy.ts'
import { openRemote } from '../registry/remote.ts'
import type { ServerPorts } from '../v1/context.ts'
import { closeAll } from './close-all.ts'
import { sqlConfig } from './database.ts'
import { sayTo } from './log.ts'
import { inMs } from './settings.ts'

export interface OpenedPorts {
  readonly ports: Ports & ServerPorts
  /** To be closed before the registry: failing transfers still write to it. */
  readonly stores: Stores
  readonly registry: SqlRegistry
  /** To be closed before the stores that it reads. Undefined: nothing is cached. */
  readonly cache: DiskCache | undefined
  /** To be closed last: until then somebody may have something to tell. */
  readonly notifier: ServerNotifier
  readonly adminRule: AdminRule
}

/** Opens the records and every enabled store. Rejects `invalid_config`, or what a store rejects with. */
export async function openPorts(config: Config, log: Logger, worker: string): Promise<OpenedPorts> {
  const specs = await storeSpecs(config)
  const { policy, protections } = openAccess(config, log)
  const now = (): Date => new Date()
  const opened: (() => unknown)[] = []
  try {
    const notifier = await openNotifier(config.notifications, log, { now, newId: randomUUID })
    opened.push(() => notifier.close())
    const registry = await openRecords(config, log)
    opened.push(() => registry.close())
    const cache = await openCache(config, registry, log)
    if (cache) opened.push(() => cache.close())
    const stores = await createStores({ stores: specs, default: config.defaultStore, log: sayTo(log) }).catch(asInFile)
    const { images, members, tasks } = registry
    const ports: OpenedPorts['ports'] = {
      images,
      members,
      tasks,
      worker,
      stores,
      notifier,
      policy,
      ...(protections && { protections }),
      ...(cache && { cache }),
      now,
      newId: randomUUID,
      storeNamed: (name) => storeNamed(config, name),
      checkSource: sourceGuard(config),
      dataSent: (event) => notifier.dataSent(event),
    }
    return { ports, stores, registry, cache, notifier, adminRule: policy }
  } catch (error) {
    await closeAll(opened, log)
    throw error
  }
}

/** The cache of the pipelines that have one. */
async function openCache(
  { cache, dataDir, pipeline }: Config,
  { images }: SqlRegistry,
  log: Logger,
): Promise<DiskCache | undefined> {
  if (!pipelineOf(pipeline).caching) return undefined
  const { dir, abandonedFill, ...options } = cache
  return openDiskCache({
    ...options,
    dir: resolve(dir ?? join(dataDir, 'cache')),
    abandonedMs: inMs(abandonedFill),
    images,
    now: Date.now,
    log: sayTo(log),
  })
}

/** The records of the registry that is configured, else of the database. */
async function openRecords(config: Config, log: Logger): Promise<SqlRegistry> {
  const database = sqlConfig(config)
  return config.registry.url === undefined
    ? openRegistry(database, { migrate: config.database.migrate, log: sayTo(log) })
    : openRemote(config, database.encryptionKeys ?? [])
}

/** Requests name a store, or as in Glance a type: then it is the default store, if that is of the type. */
function storeNamed({ stores, defaultStore }: Config, name: string): string | undefined {
  if (Object.hasOwn(stores, name)) return stores[name]?.enabled ? name : undefined
  return stores[defaultStore]?.type === name ? defaultStore : undefined
}
