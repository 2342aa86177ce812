import type { Layer } from '../plugin.ts'

/** Takes away what changes the store: `add`, `delete` and `setAcls` reject `unsupported`. */
export function readOnly(): Layer {
  return () => ({ write: undefined, remove: undefined, setAcls: undefined })
}
