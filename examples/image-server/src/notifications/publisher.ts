import { imageFacts, type Notification, type NotificationFacts, sentFacts } from './notification.ts'
import type { ServerNotifier } from './notifier.ts'

/** Takes notifications without waiting. */
export interface Outlet {
  add(notification: Notification): void
  close(): Promise<void>
}

export interface PublisherOptions {
  readonly publisherId: string
  readonly now: () => Date
  readonly newId: () => string
}

/** Makes one notification of each event and gives it to every outlet. */
export function publisher(outlets: readonly Outlet[], { publisherId, now, newId }: PublisherOptions): ServerNotifier {
  const publish = (facts: NotificationFacts): void => {
    const notification = { messageId: newId(), publisherId, timestamp: now(), ...facts }
    for (const outlet of outlets) outlet.add(notification)
  }
  return {
    notify: (event, image, failure) => publish(imageFacts(event, image, failure)),
    dataSent: (event) => publish(sentFacts(event)),
    async close() {
      await Promise.all(outlets.map((outlet) => outlet.close()))
    },
  }
}
