import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { openRegistry, type SqlRegistry } from '@mullion/sql'
import { createStores, type Stores } from 'mullion'
import { openPolicy, type Ports, silentNotifier } from 'mullion/images'
import type { Config } from '../config/config.ts'
import type { Say } from './command.ts'
import { asInFile, storeSpecs, type StoreSpecs } from '../config/stores.ts'
import { openRemote } from '../registry/remote.ts'
import { sqlConfig } from '../server/database.ts'

/** The records of the registry that is configured, else of the database, which is not migrated. */
export async function openRecords(config: Config): Promise<SqlRegistry> {
  const database = sqlConfig(config)
  if (config.registry.url === undefined) return openRegistry(database, { migrate: false })
  return openRemote(config, database.encryptionKeys ?? [])
}

/** The configured stores that can be opened. */
export interface OpenedStores {
  readonly stores: Stores
  readonly specs: StoreSpecs
  /** Name of a store that does not open, and why. */
  readonly failed: ReadonlyMap<string, unknown>
}

/** Opens each store that opens. Rejects `invalid_config` for the keys of any, and with the first failure when none does. */
export async function openStores(config: Config, say: Say): Promise<OpenedStores> {
  const specs = await storeSpecs(config)
  try {
    return { stores: await openAll(specs, config.defaultStore, say), specs, failed: new Map() }
  } catch {
    return openThose(specs, say)
  }
}

/** Opens every configured store, or none. */
export async function openAllStores(config: Config, say: Say): Promise<Omit<OpenedStores, 'failed'>> {
  const specs = await storeSpecs(config)
  return { stores: await openAll(specs, config.defaultStore, say), specs }
}

/** The ports of the use cases, for an operator: everything is allowed, and nobody is told. */
export function operatorPorts({ images, members, tasks }: SqlRegistry, stores: Stores): Ports {
  return {
    images,
    members,
    tasks,
    stores,
    worker: `mullion-${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
    notifier: silentNotifier,
    policy: openPolicy,
    now: () => new Date(),
    newId: randomUUID,
  }
}

function openAll(specs: StoreSpecs, fallback: string, say: Say): Promise<Stores> {
  return createStores({ stores: specs, default: fallback, log: say }).catch(asInFile)
}

async function openThose(specs: StoreSpecs, say: Say): Promise<OpenedStores> {
  const failed = new Map<string, unknown>()
  for (const [name, spec] of Object.entries(specs)) {
    try {
      const probe = await openAll({ [name]: spec }, name, say)
      await probe.close()
    } catch (error) {
      failed.set(name, error)
    }
  }
  const good = Object.fromEntries(Object.entries(specs).filter(([name]) => !failed.has(name)))
  const [first] = Object.keys(good)
  if (first === undefined) throw [...failed.values()][0]
  return { stores: await openAll(good, first, say), specs: good, failed }
}
