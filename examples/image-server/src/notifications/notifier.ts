import type { Notifier } from 'mullion/images'
import type { DataSent } from '../v1/context.ts'

/** Tells the outside what happens to images. Only `close` may wait, and nothing may throw. */
export interface ServerNotifier extends Notifier {
  /** The notification `image.send`. */
  dataSent(event: DataSent): void
  /** Delivers what is queued, within a bound of its own, and gives up the rest aloud. Nothing is taken afterwards. */
  close(): Promise<void>
}

/** All of them are told of everything. */
export function fanOut(notifiers: readonly ServerNotifier[]): ServerNotifier {
  return {
    notify(event, image, failure) {
      for (const notifier of notifiers) notifier.notify(event, image, failure)
    },
    dataSent(event) {
      for (const notifier of notifiers) notifier.dataSent(event)
    },
    async close() {
      await Promise.all(notifiers.map((notifier) => notifier.close()))
    },
  }
}

/** Keeps events from it: one by its name, `image.create`, or all of a group by theirs, `image`. */
export function withoutEvents(disabled: readonly string[], notifier: ServerNotifier): ServerNotifier {
  const isDisabled = (event: string) => disabled.some((name) => event === name || event.startsWith(`${name}.`))
  return {
    notify(event, image, failure) {
      if (!isDisabled(`image.${event}`)) notifier.notify(event, image, failure)
    },
    dataSent(event) {
      if (!isDisabled('image.send')) notifier.dataSent(event)
    },
    close: () => notifier.close(),
  }
}
