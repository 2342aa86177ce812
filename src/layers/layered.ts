import type { Layer, StoreSpec } from '../plugin.ts'

/**
 * The same store behind layers. The first listed is outermost, and all of them are outside those the spec already has.
 * Retry lies outside every layer, so a layer sees each attempt.
 */
export function layered<S>(spec: StoreSpec<S>, ...layers: readonly Layer[]): StoreSpec<S> {
  return { ...spec, layers: [...layers, ...spec.layers] }
}
