import { z } from 'zod'
import { count, names, seconds } from './values.ts'

export interface NotificationsConfig {
  readonly publisherId: string
  readonly disabledNotifications: readonly string[]
  readonly log: boolean
  readonly webhookUrl?: string | undefined
  readonly webhookSecrets: readonly string[]
  readonly webhookCa?: string | undefined
  readonly amqpUrls: readonly string[]
  readonly amqpExchange: string
  readonly amqpTopics: readonly string[]
  readonly amqpDurable: boolean
  readonly amqpAutoDelete: boolean
  readonly amqpHeartbeat: number
  readonly amqpCa?: string | undefined
  readonly queueCount: number
  readonly queueBytes: number
  readonly attemptTimeout: number
  readonly giveUpAfter: number
  readonly closeTimeout: number
}

const word = (what: string) => z.string().regex(/^[\x21-\x7e]{1,200}$/, `expected ${what} of visible ASCII`)
/** Not looked into before references are resolved. */
const secretText = () => z.string().min(1)

export const notifications: z.ZodType<NotificationsConfig> = z.strictObject({
  publisherId: word('a name')
    .default('image.localhost')
    .describe('Who sends: `publisher_id`, `source` of CloudEvents.'),
  disabledNotifications: names(0)
    .default([])
    .describe('Events that nobody is told of: one by its name, `image.send`, or all of a group, `image`.'),
  log: z.boolean().default(true).describe('Whether notifications are written to the log.'),
  webhookUrl: secretText()
    .optional()
    .describe('http or https URL to which every notification is posted as a CloudEvent. Not set: none is.')
    .meta({ secret: true }),
  webhookSecrets: z
    .array(secretText())
    .default([])
    .describe('Secrets that sign it: `whsec_` and 24 to 64 random bytes in base64, or references. Each of them signs.')
    .meta({ secret: true }),
  webhookCa: z
    .string()
    .min(1)
    .optional()
    .describe('File of the certificates (PEM) that the receiver is trusted by, beside the usual.'),
  amqpUrls: z
    .array(secretText())
    .default([])
    .describe(
      'Brokers of one RabbitMQ cluster, used in turn: `amqp://USER:PASSWORD@HOST:PORT/VHOST`, `amqps:` for TLS. None: nothing is published.',
    )
    .meta({ secret: true }),
  amqpExchange: word('a name').default('glance').describe('Topic exchange; `control_exchange` of OpenStack services.'),
  amqpTopics: z
    .array(word('a topic'))
    .min(1)
    .default(['notifications'])
    .describe('Topics; the routing key is `TOPIC.info` or `TOPIC.error`.'),
  amqpDurable: z
    .boolean()
    .default(false)
    .describe(
      'Whether exchange and queues outlive a restart of the broker; must be as `amqp_durable_queues` of all services that use them.',
    ),
  amqpAutoDelete: z.boolean().default(false).describe('Whether they go when nobody uses them; `amqp_auto_delete`.'),
  amqpHeartbeat: z
    .int()
    .min(0)
    .max(3600)
    .default(60)
    .describe('Seconds between two signs of life on an idle connection; 0 for none.'),
  amqpCa: z
    .string()
    .min(1)
    .optional()
    .describe('File of the certificates (PEM) that the brokers are trusted by, beside the usual.'),
  queueCount: count()
    .min(1)
    .max(1_000_000)
    .default(1000)
    .describe('Notifications that wait for one receiver; beyond, the oldest are dropped.'),
  queueBytes: count()
    .min(1024)
    .default(16_777_216)
    .describe('Bytes of notifications that wait for one receiver; beyond, the oldest are dropped.'),
  attemptTimeout: seconds().min(0.1).default(10).describe('Seconds that one try to deliver may take.'),
  giveUpAfter: seconds()
    .min(0)
    .default(3600)
    .describe('Seconds after which a notification that cannot be delivered is dropped.'),
  closeTimeout: seconds()
    .default(5)
    .describe('Seconds that waiting notifications are still delivered when the server stops.'),
})
