import { file } from '@mullion/file'
import { createGuard, type GuardRules, http } from '@mullion/http'
import { type AnyStore, isMullionError, type StoreSpec } from 'mullion'
import type { Config } from './config.ts'
import { refusal } from './document.ts'

/** The plugins that a store's `type` can name. A new backend is one line here. */
const PLUGINS = new Map<string, (config: never) => StoreSpec<AnyStore>>([
  ['file', file],
  ['http', http],
])

/** The enabled stores by name, for `createStores`. Nothing is opened; the plugins check their keys when it is. */
export function storeSpecs({ stores }: Config): Readonly<Record<string, StoreSpec<AnyStore>>> {
  const enabled = Object.entries(stores).filter(([, table]) => table.enabled)
  return Object.fromEntries(
    enabled.map(([name, { type, enabled: _enabled, ...options }]) => {
      const plugin = PLUGINS.get(type)
      if (plugin) return [name, plugin(options as never)]
      throw refusal(
        undefined,
        `stores.${name}.type: no such plugin, got ${JSON.stringify(type)}; known: ${[...PLUGINS.keys()].join(', ')}`,
      )
    }),
  )
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
