import { createGuard, type GuardRules } from '@mullion/http'
import { type AnyStore, isMullionError, type StoreSpec } from 'mullion'
import type { Config } from './config.ts'
import { refusal } from './document.ts'
import { snakeCase } from './keys.ts'

type Plugin = (config: never) => StoreSpec<AnyStore>

/** The plugins that a store's `type` can name, loaded when one does. A new backend is one line here. */
const PLUGINS: ReadonlyMap<string, () => Promise<Plugin>> = new Map<string, () => Promise<Plugin>>([
  ['file', async () => (await import('@mullion/file')).file],
  ['gcs', async () => (await import('@mullion/gcs')).gcs],
  ['http', async () => (await import('@mullion/http')).http],
  ['rbd', async () => (await import('@mullion/rbd')).rbd],
  ['s3', async () => (await import('@mullion/s3')).s3],
  ['sftp', async () => (await import('@mullion/sftp')).sftp],
  ['swift', async () => (await import('@mullion/swift')).swift],
])

export type StoreSpecs = Readonly<Record<string, StoreSpec<AnyStore>>>

/** The enabled stores by name, for `createStores`. Nothing is opened. Rejects `invalid_config`, the plugins' own keys included. */
export async function storeSpecs({ stores }: Config): Promise<StoreSpecs> {
  const specs: Record<string, StoreSpec<AnyStore>> = {}
  for (const [name, { type, enabled, ...options }] of Object.entries(stores)) {
    if (!enabled) continue
    const load = PLUGINS.get(type)
    if (!load) {
      const known = [...PLUGINS.keys()].join(', ')
      throw refusal(undefined, `stores.${name}.type: no such plugin, got ${JSON.stringify(type)}; known: ${known}`)
    }
    const plugin = await load()
    const spec = plugin(options as never)
    await spec.validate(name).catch(asInFile)
    specs[name] = spec
  }
  return specs
}

/** The keys of a plugin are refused under the names they have in the file. */
export function asInFile(error: unknown): never {
  if (!isMullionError(error, 'invalid_config')) throw error
  throw refusal('stores', error.message.replaceAll(/\b[a-z]+(?:[A-Z][a-z0-9]*)+\b/g, snakeCase))
}

/**
 * Refuses URLs that every http store would refuse by their text, before anything is recorded or asked. What a name
 * resolves to is judged when the store connects.
 */
export function sourceGuard({ stores }: Config): (uri: string) => void {
  const tables = Object.values(stores).filter(({ enabled, type }) => enabled && type === 'http')
  const guards = tables.map(({ allow, deny, schemes, ports }) =>
    createGuard(
      Object.fromEntries(
        Object.entries({ allow, deny, schemes, ports }).filter(([, rule]) => rule !== undefined),
      ) as GuardRules,
    ),
  )
  return (uri) => {
    if (!/^https?:/i.test(uri)) return
    const refusals = guards.map((guard) => refusalOf(() => guard.assertUri(uri)))
    if (refusals.length > 0 && refusals.every((refused) => refused !== undefined)) throw refusals[0]
  }
}

function refusalOf(check: () => void): unknown {
  try {
    check()
    return undefined
  } catch (error) {
    if (isMullionError(error)) return error
    throw error
  }
}
