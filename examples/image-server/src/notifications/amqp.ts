import { openSession, type AmqpSettings, type Session } from './amqp-session.ts'
import { osloMessage } from './oslo.ts'
import type { Parcel, Transport } from './transport.ts'

export interface AmqpOptions extends AmqpSettings {
  /** `amqp://` or `amqps://` with user, password, host, port and virtual host: brokers of one cluster, tried in turn. */
  readonly urls: readonly string[]
}

const CLOSE_MS = 1_000

/**
 * Publishes what oslo.messaging's `messagingv2` driver publishes, over AMQP 0-9-1 with confirms. A try that fails ends
 * its connection, and the next one goes to the next broker: there is no second layer of retries below.
 */
export function amqp({ urls, ...settings }: AmqpOptions): Transport {
  let session: Session | undefined
  let next = 0
  return {
    name: `amqp ${urls.map((url) => new URL(url).host).join(',')}`,
    encode: (notification) => Buffer.from(osloMessage(notification)),
    async deliver(parcel, signal) {
      if (session && !session.isOpen()) session = undefined
      const used = (session ??= openSession(urls[next % urls.length] ?? '', settings))
      const abandon = (): void => used.destroy(signal.reason)
      signal.addEventListener('abort', abandon)
      try {
        signal.throwIfAborted()
        await publish(used, parcel, settings.topics)
      } catch (error) {
        used.destroy(error)
        session = undefined
        next += 1
        throw error
      } finally {
        signal.removeEventListener('abort', abandon)
      }
    },
    async close() {
      await session?.close(CLOSE_MS)
    },
  }
}

/** To each topic, with the priority behind it: `notifications.info` (oslo.messaging, notify/messaging.py). */
async function publish(
  session: Session,
  { messageId, priority, body }: Parcel,
  topics: readonly string[],
): Promise<void> {
  for (const topic of topics) await session.publish(`${topic}.${priority.toLowerCase()}`, messageId, body)
}
