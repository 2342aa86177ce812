import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type ErrorCode, MullionError } from './errors.ts'
import type { Capabilities, LocationCodec, Store } from './store.ts'

/** What a store is given when it opens. */
export interface StoreEnv {
  /** The name of the store in `createStores`. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Says what an operator should know and no caller can be told, such as a leftover that was swept. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** Facts about an opened store, for layers. */
export interface StoreInfo {
  readonly id: string
  readonly plugin: string
  readonly capabilities: Capabilities
  /** The code of what the store threw: layers see errors before the core translates them. */
  classify(error: unknown): ErrorCode
  /** An address as a redacted location. */
  describe(at: unknown): string
}

export interface StoreDefinition<C extends StandardSchemaV1, L, S extends Store<L>> {
  /** Names the plugin in messages. */
  readonly name: string
  readonly schemes: readonly [string, ...string[]]
  /** Any Standard Schema: zod, valibot, arktype, … */
  readonly config: C
  readonly location: LocationCodec<L>
  readonly capabilities?: Partial<Capabilities>
  /** The code of an error the store or its SDK threw; undefined when it is none of its own. */
  classify?(error: unknown): ErrorCode | undefined
  open(config: StandardSchemaV1.InferOutput<C>, env: StoreEnv): S | Promise<S>
}

/** A plugin with its configuration, ready for `createStores`. */
export interface StoreSpec<S> {
  readonly plugin: string
  readonly schemes: readonly string[]
  readonly capabilities: Capabilities
  readonly location: LocationCodec<unknown>
  readonly classify: (error: unknown) => ErrorCode | undefined
  readonly layers: readonly Layer[]
  /** Rejects `invalid_config` when `open` would for the configuration alone; `id` names the store in the message. */
  validate(id: string): Promise<void>
  /** Validates the configuration, then opens. Rejects `invalid_config`, or what the store rejects with. */
  open(env: StoreEnv): Promise<S>
}

/** A store whose address type is erased; only layers and the core see it. */
// oxlint-disable-next-line typescript/no-explicit-any -- the erased address type: stores are contravariant in it
export type AnyStore = Store<any>

/**
 * Returns the functions it changes; the rest pass through, optional ones included. `undefined` takes one away. A layer that changes
 * the bytes takes `copyFrom` away, which would copy what lies in the backend, and the sizes from what `list` tells.
 */
export type Layer = (next: AnyStore, about: StoreInfo) => { readonly [F in keyof AnyStore]?: AnyStore[F] | undefined }

const DEFAULTS: Capabilities = {
  range: false,
  atomicWrite: false,
  exclusiveWrite: false,
  needsSize: false,
  maxSize: Number.POSITIVE_INFINITY,
  concurrency: Number.POSITIVE_INFINITY,
}

/** Turns a definition into a plugin: a function from configuration to a spec. Nothing is opened or checked yet. */
export function defineStore<C extends StandardSchemaV1, L, S extends Store<L>>(
  definition: StoreDefinition<C, L, S>,
): (config: StandardSchemaV1.InferInput<C>) => StoreSpec<S> {
  return (config) => ({
    plugin: definition.name,
    schemes: definition.schemes,
    capabilities: { ...DEFAULTS, ...definition.capabilities },
    location: definition.location,
    classify: (error) => definition.classify?.(error),
    layers: [],
    async validate(id) {
      await validated(definition, config, id)
    },
    async open(env) {
      return definition.open(await validated(definition, config, env.id), env)
    },
  })
}

async function validated<C extends StandardSchemaV1, L, S extends Store<L>>(
  { name, config: schema }: StoreDefinition<C, L, S>,
  input: unknown,
  id: string,
): Promise<StandardSchemaV1.InferOutput<C>> {
  const result = await schema['~standard'].validate(input)
  if (!result.issues) return result.value
  const issues = result.issues.map(({ message, path = [] }) => {
    const key = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
    return key === '' ? message : `${key}: ${message}`
  })
  throw new MullionError('invalid_config', `${id}: ${name} store: ${issues.join('; ')}`, {
    details: { plugin: name, issues },
  })
}
