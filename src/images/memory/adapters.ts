import type { Notifier, Policy } from '../ports.ts'

/** Tells nobody. */
export const silentNotifier: Notifier = { notify() {} }

/** Allows everything. */
export const openPolicy: Policy = { enforce: async () => {} }
