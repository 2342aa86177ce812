import type { Layer } from '../plugin.ts'

/** Takes away what changes the store: `add`, `copy` into it, `delete` and `setAcls` reject `unsupported`. */
export function readOnly(): Layer {
  return () => ({ write: undefined, copyFrom: undefined, remove: undefined, setAcls: undefined })
}
