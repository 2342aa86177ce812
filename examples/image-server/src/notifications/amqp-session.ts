import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Channel, Connection } from 'rabbitmq-client'

export interface AmqpSettings {
  /** oslo's `control_exchange`. */
  readonly exchange: string
  readonly topics: readonly string[]
  /** Of the exchange and the queues; other services that declare them must agree (oslo's `amqp_durable_queues`). */
  readonly durable: boolean
  readonly autoDelete: boolean
  /** Seconds, as the protocol counts; 0 for none. */
  readonly heartbeat: number
  readonly ca?: readonly string[] | undefined
}

/** One connection to one broker, with one channel, for one message at a time. It never reconnects. */
export interface Session {
  isOpen(): boolean
  /** Resolves when the broker has confirmed the message and put it into a queue. */
  publish(routingKey: string, messageId: string, body: Buffer): Promise<void>
  /** What is under way rejects with the reason. */
  destroy(reason: unknown): void
  /** Ends in order, or without when that takes longer. */
  close(withinMs: number): Promise<void>
}

const LONG_MS = 3_600_000

export function openSession(url: string, settings: AmqpSettings): Session {
  const connection = new Connection(connectionOptions(url, settings))
  const ended = new AbortController()
  const destroy = (reason: unknown): void => {
    ended.abort(reason)
    connection.unsafeDestroy()
  }
  connection.on('error', destroy)
  const returned = new Set<string | undefined>()
  const channel = prepare(connection, settings, (messageId) => returned.add(messageId))
  channel.catch(destroy)
  const declared = new Set<string>()
  const publish = async (routingKey: string, messageId: string, body: Buffer): Promise<void> => {
    const ready = await channel
    if (!declared.has(routingKey)) await declare(ready, routingKey, settings)
    declared.add(routingKey)
    const properties = { contentType: 'application/json', contentEncoding: 'utf-8', durable: true, messageId }
    await ready.basicPublish({ exchange: settings.exchange, routingKey, mandatory: true, ...properties }, body)
    await nextTurn() // a returned message is announced before its confirmation, but told a turn later
    if (returned.delete(messageId)) throw new Error(`no queue takes ${routingKey} from ${settings.exchange}`)
  }
  return {
    isOpen: () => !ended.signal.aborted,
    publish: (...message) => unlessEnded(ended.signal, () => publish(...message)),
    destroy,
    async close(withinMs) {
      const timer = setTimeout(() => destroy(undefined), withinMs)
      await unlessEnded(ended.signal, () => closeAll(channel, connection)).catch(() => {})
      clearTimeout(timer)
      destroy(undefined)
    },
  }
}

/** Rejects with the reason of the signal once that aborts; the work goes on to its own end, unheard. */
async function unlessEnded(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const outcome = Promise.withResolvers<void>()
  const end = (): void => outcome.reject(signal.reason)
  if (signal.aborted) throw signal.reason
  signal.addEventListener('abort', end)
  work().then(outcome.resolve, outcome.reject)
  try {
    await outcome.promise
  } finally {
    signal.removeEventListener('abort', end)
  }
}

function connectionOptions(url: string, { heartbeat, ca }: AmqpSettings) {
  const { protocol, hostname, port, username, password, pathname } = new URL(url)
  const secure = protocol === 'amqps:'
  return {
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port || (secure ? 5671 : 5672),
    username: decodeURIComponent(username) || 'guest',
    password: decodeURIComponent(password) || 'guest',
    vhost: decodeURIComponent(pathname.slice(1)) || '/',
    ...(secure && { tls: ca ? { ca: [...ca] } : true }),
    heartbeat,
    connectionName: 'mullion-image-server',
    // whoever uses the session has a deadline of its own, and opens another one when this fails
    connectionTimeout: 0,
    acquireTimeout: LONG_MS,
    retryLow: LONG_MS,
    retryHigh: LONG_MS,
  }
}

async function prepare(
  connection: Connection,
  { exchange, durable, autoDelete }: AmqpSettings,
  onReturn: (messageId: string | undefined) => void,
): Promise<Channel> {
  const channel = await connection.acquire()
  channel.on('basic.return', ({ messageId }) => onReturn(messageId))
  await channel.confirmSelect()
  await channel.exchangeDeclare({ exchange, type: 'topic', durable, autoDelete })
  return channel
}

/** As oslo does, so that what is sent before anybody listens is kept (impl_rabbit.py, _publish_and_creates_default_queue). */
async function declare(
  channel: Channel,
  queue: string,
  { exchange, durable, autoDelete }: AmqpSettings,
): Promise<void> {
  await channel.queueDeclare({ queue, durable, autoDelete })
  await channel.queueBind({ queue, exchange, routingKey: queue })
}

async function closeAll(channel: Promise<Channel>, connection: Connection): Promise<void> {
  await (await channel).close()
  await connection.close()
}
