import { file } from '@mullion/file'
import { http } from '@mullion/http'
import type { AnyStore, StoreSpec } from 'mullion'
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
