import type { Notifier, Policy, TaskQueue } from '../ports.ts'
import type { Task } from '../tasks.ts'

/** A queue in the memory of this process: its tasks do not survive it. */
export function memoryTasks(): TaskQueue {
  const open = new Map<string, { readonly task: Task; worker: string | undefined }>()
  return {
    async enqueue(task) {
      open.set(task.id, { task, worker: undefined })
    },
    async claim(worker) {
      const entry = [...open.values()].find((other) => other.worker === undefined)
      if (entry) entry.worker = worker
      return entry?.task
    },
    async settle(id) {
      open.delete(id)
    },
    async release(worker) {
      for (const entry of open.values()) if (entry.worker === worker) entry.worker = undefined
    },
    openImageIds: async () => new Set([...open.values()].map(({ task }) => task.imageId)),
  }
}

/** Tells nobody. */
export const silentNotifier: Notifier = { notify() {} }

/** Allows everything. */
export const openPolicy: Policy = { enforce: async () => {} }
