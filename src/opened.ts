import { type ErrorContext, inContext, isMullionError, MullionError } from './errors.ts'
import { redactText, redactUri } from './location.ts'
import type { AnyStore, Layer, StoreEnv, StoreInfo, StoreSpec } from './plugin.ts'
import { type Slots, slots } from './slots.ts'

/** A store that `createStores` opened, with its layers around it. */
export interface OpenedStore {
  readonly id: string
  readonly spec: StoreSpec<AnyStore>
  readonly store: AnyStore
  /** The store as its plugin made it: what `copyFrom` of its kind recognises. */
  readonly raw: AnyStore
  /** Places for the calls the store takes at once. */
  readonly slots: Slots
  /** Tells the operator. */
  readonly log: StoreEnv['log']
}

/** Opens in order. If one fails, those that were open are closed and its error is thrown. */
export async function openAll(
  stores: Readonly<Record<string, StoreSpec<AnyStore>>>,
  { now, log }: Omit<StoreEnv, 'id'>,
  layers: readonly Layer[],
): Promise<ReadonlyMap<string, OpenedStore>> {
  const opened = new Map<string, OpenedStore>()
  try {
    for (const [id, spec] of Object.entries(stores)) {
      const env: StoreEnv = { id, now, log: (message, fields) => log(message, { store: id, ...fields }) }
      opened.set(id, await openStore(spec, env, layers))
    }
    return opened
  } catch (error) {
    await closeAll(opened).catch(() => {})
    throw error
  }
}

/** Closes all, also when some fail; rejects with the first failure. */
export async function closeAll(opened: ReadonlyMap<string, OpenedStore>): Promise<void> {
  const closed = await Promise.allSettled([...opened.values()].map(async ({ store }) => store.close?.()))
  const failed = closed.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

async function openStore(spec: StoreSpec<AnyStore>, env: StoreEnv, outer: readonly Layer[]): Promise<OpenedStore> {
  const about: StoreInfo = {
    id: env.id,
    plugin: spec.plugin,
    capabilities: spec.capabilities,
    classify: (error) => (isMullionError(error) ? error.code : (spec.classify(error) ?? 'internal')),
    describe: (at) => redactUri(spec.location.format(at)),
  }
  const store = await spec.open(env).catch((error: unknown) => {
    throw translated({ id: env.id, spec }, error, { operation: 'open' })
  })
  const layers = [...outer, ...spec.layers]
  try {
    const wrapped = layers.reduceRight<AnyStore>(
      (next, layer) => ({ ...next, ...layer(next, about) }) as AnyStore,
      bound(store),
    )
    return { id: env.id, spec, store: wrapped, raw: store, slots: slots(spec.capabilities.concurrency), log: env.log }
  } catch (error) {
    await store.close?.()
    throw error
  }
}

/**
 * What a store threw as an error of ours: classified by the store's definition, redacted, in context. An error that is
 * one already gains context only.
 */
export function translated(
  { id, spec }: Pick<OpenedStore, 'id' | 'spec'>,
  error: unknown,
  context: ErrorContext,
): MullionError {
  const full = { ...context, store: id }
  if (isMullionError(error)) return inContext(error, full)
  const code = spec.classify(error) ?? 'internal'
  const said = redactText(error instanceof Error ? error.message : String(error))
  const what = [context.operation, context.imageId ?? context.location].filter(Boolean).join(' ')
  return new MullionError(code, `${id}: ${spec.plugin} store: ${what}: ${said}`, {
    details: detailsOf(code, context),
    context: full,
    cause: error,
  })
}

/** The store lacks a function that was asked for. */
export function unsupported(
  { id, spec }: Pick<OpenedStore, 'id' | 'spec'>,
  operation: string,
  what: string,
): MullionError<'unsupported'> {
  return new MullionError('unsupported', `${id}: ${spec.plugin} store: ${what}`, { details: { operation } })
}

/** Details of codes that `classify` can name but not describe. */
function detailsOf(code: string, { operation = '', location = '', imageId = '' }: ErrorContext): object {
  switch (code) {
    case 'not_found':
    case 'in_use':
      return { location: location || imageId }
    case 'already_exists':
      return { key: imageId }
    case 'unsupported':
      return { operation }
    case 'invalid_location':
      return { reason: operation }
    default:
      return {}
  }
}

const FUNCTIONS = ['read', 'stat', 'write', 'copyFrom', 'remove', 'setAcls', 'list', 'owns', 'close'] as const

/** A record of functions, so that layers can spread it and a plugin may still be a class. */
function bound(store: AnyStore): AnyStore {
  const present = FUNCTIONS.filter((name) => typeof store[name] === 'function')
  return Object.fromEntries(present.map((name) => [name, store[name]?.bind(store)])) as unknown as AnyStore
}
