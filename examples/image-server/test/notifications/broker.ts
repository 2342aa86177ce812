import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from 'rabbitmq-client'
import { onTestFinished } from 'vitest'
import { amqp, type AmqpOptions } from '../../src/notifications/amqp.ts'
import { Outbox, type OutboxOptions } from '../../src/notifications/outbox.ts'
import { recordingLog, type RecordingLog } from './recording.ts'

export interface Names {
  readonly exchange: string
  readonly topic: string
}

/** An exchange and a topic of its own for a test. */
export function names(): Names {
  const suffix = crypto.randomUUID().slice(0, 8)
  return { exchange: `glance-${suffix}`, topic: `notifications-${suffix}` }
}

export interface Reader {
  /** What the queue holds now, oldest first, and no longer afterwards. */
  take(queue: string): Promise<readonly Read[]>
  /** Waits until that many were taken. */
  takeCount(queue: string, count: number): Promise<readonly Read[]>
  readonly connection: Connection
}

export interface Read {
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  readonly durable: boolean | undefined
  readonly routingKey: string
  readonly exchange: string
  readonly envelope: Readonly<Record<string, string>>
  readonly message: Readonly<Record<string, unknown>>
}

/** Reads queues with a connection of its own, and removes the exchange and the queues when the test ends. */
export function reader(url: string, { exchange, topic }: Names): Reader {
  const connection = new Connection({ url, retryLow: 100, retryHigh: 200 })
  connection.on('error', () => {})
  onTestFinished(async () => {
    await using channel = await closing(connection)
    for (const priority of ['info', 'error']) await channel.queueDelete(`${topic}.${priority}`)
    await channel.exchangeDelete({ exchange })
  })
  const take = async (queue: string): Promise<readonly Read[]> => {
    const found: Read[] = []
    await connection.queueDeclare({ queue, passive: true })
    for (let one = await connection.basicGet({ queue, noAck: true }); one; ) {
      const { contentType, contentEncoding, durable, routingKey, exchange: from } = one
      const envelope = JSON.parse(String(one.body)) as Record<string, string>
      const message = JSON.parse(envelope['oslo.message'] ?? '') as Record<string, unknown>
      found.push({ contentType, contentEncoding, durable, routingKey, exchange: from, envelope, message })
      one = await connection.basicGet({ queue, noAck: true })
    }
    return found
  }
  const takeCount = async (queue: string, count: number): Promise<readonly Read[]> => {
    const found: Read[] = []
    for (const end = Date.now() + 30_000; found.length < count && Date.now() < end; await sleep(20)) {
      found.push(...(await take(queue).catch(() => [])))
    }
    return found
  }
  return { take, takeCount, connection }
}

async function closing(connection: Connection) {
  const channel = await connection.acquire()
  return Object.assign(channel, {
    async [Symbol.asyncDispose]() {
      await channel.close()
      await connection.close()
    },
  })
}

export interface Publishing {
  readonly box: Outbox
  readonly log: RecordingLog
}

/** An outbox that publishes to the brokers; closed when the test ends. */
export function publishing(
  { exchange, topic }: Names,
  { outbox, ...settings }: Pick<AmqpOptions, 'urls'> & Partial<AmqpOptions> & { outbox?: Partial<OutboxOptions> },
): Publishing {
  const log = recordingLog()
  const transport = amqp({ exchange, topics: [topic], durable: false, autoDelete: false, heartbeat: 60, ...settings })
  const box = new Outbox(transport, {
    maxCount: 1000,
    maxBytes: 10_000_000,
    attemptMs: 5_000,
    giveUpMs: 60_000,
    closeMs: 5_000,
    pauseMs: 20,
    maxPauseMs: 200,
    log,
    ...outbox,
  })
  onTestFinished(() => box.close())
  return { box, log }
}
