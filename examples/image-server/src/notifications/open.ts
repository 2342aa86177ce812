import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import tls from 'node:tls'
import { refusal } from '../config/document.ts'
import type { NotificationsConfig } from '../config/sections/notifications.ts'
import { type InfoLog, logNotifier } from './log.ts'
import { fanOut, type ServerNotifier, withoutEvents } from './notifier.ts'
import { Outbox } from './outbox.ts'
import { publisher, type PublisherOptions } from './publisher.ts'
import { type SigningKey, signingKey } from './signature.ts'
import type { Transport } from './transport.ts'
import type { OutboxLog } from './troubles.ts'
import { webhook } from './webhook.ts'

/**
 * The notifiers of the configuration, whose references are resolved. Nothing is connected before there is something to
 * tell, so a receiver that is away does not keep the server from starting. Rejects `invalid_config`.
 */
export async function openNotifier(
  config: NotificationsConfig,
  log: InfoLog & OutboxLog,
  { now, newId }: Omit<PublisherOptions, 'publisherId'>,
): Promise<ServerNotifier> {
  const options = outboxOptions(config, log)
  const outlets = (await transports(config)).map((transport) => new Outbox(transport, options))
  const notifiers = [
    ...(config.log ? [logNotifier(log)] : []),
    ...(outlets.length > 0 ? [publisher(outlets, { publisherId: config.publisherId, now, newId })] : []),
  ]
  return withoutEvents(config.disabledNotifications, fanOut(notifiers))
}

/** What is configured, checked, and not yet connected. Rejects `invalid_config`. */
export async function transports(config: NotificationsConfig): Promise<readonly Transport[]> {
  const found: Transport[] = []
  if (config.webhookUrl !== undefined) found.push(await openWebhook(config.webhookUrl, config))
  if (config.amqpUrls.length > 0) found.push(await openAmqp(config))
  return found
}

async function openWebhook(url: string, { webhookSecrets, webhookCa }: NotificationsConfig): Promise<Transport> {
  checkUrl(url, ['http:', 'https:'], 'webhook_url', 'an http or https URL')
  if (webhookSecrets.length === 0) throw refused('webhook_secrets', 'at least one is needed to sign what is sent')
  const keys = webhookSecrets.map(keyOf)
  return webhook({ url, keys, ca: webhookCa === undefined ? undefined : await authorities(webhookCa, 'webhook_ca') })
}

async function openAmqp(config: NotificationsConfig): Promise<Transport> {
  const { amqpUrls, amqpExchange, amqpTopics, amqpDurable, amqpAutoDelete, amqpHeartbeat, amqpCa } = config
  const { amqp } = await import('./amqp.ts')
  for (const url of amqpUrls) checkUrl(url, ['amqp:', 'amqps:'], 'amqp_urls', 'amqp:// or amqps:// URLs')
  return amqp({
    urls: amqpUrls,
    exchange: amqpExchange,
    topics: amqpTopics,
    durable: amqpDurable,
    autoDelete: amqpAutoDelete,
    heartbeat: amqpHeartbeat,
    ca: amqpCa === undefined ? undefined : await authorities(amqpCa, 'amqp_ca'),
  })
}

/** The text itself is never shown: it may hold a password. */
function checkUrl(text: string, protocols: readonly string[], key: string, expected: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !protocols.includes(url.protocol) || url.hostname === '') throw refused(key, `expected ${expected}`)
  if (!decodes(url.username) || !decodes(url.password) || !decodes(url.pathname)) {
    throw refused(key, 'a % that is no percent-encoding')
  }
}

function decodes(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined
  } catch {
    return false
  }
}

function keyOf(secret: string, index: number): SigningKey {
  const key = signingKey(secret)
  if (key) return key
  throw refused('webhook_secrets', `number ${index + 1}: expected whsec_ and 24 to 64 bytes in base64`)
}

/** The usual authorities and those of the file. `getCACertificates` came with Node 22.15; it also knows NODE_EXTRA_CA_CERTS. */
async function authorities(path: string, key: string): Promise<readonly string[]> {
  const pem = await readFile(path, 'utf8').catch(() => '')
  const own = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (own.length === 0 || !own.every(isCertificate))
    throw refused(key, `${path}: expected a readable file of PEM certificates`)
  return [
    ...(typeof tls.getCACertificates === 'function' ? tls.getCACertificates('default') : tls.rootCertificates),
    ...own,
  ]
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).serialNumber !== ''
  } catch {
    return false
  }
}

function refused(key: string, issue: string): Error {
  return refusal('notifications', `${key}: ${issue}`)
}

function outboxOptions(config: NotificationsConfig, log: OutboxLog) {
  return {
    maxCount: config.queueCount,
    maxBytes: config.queueBytes,
    attemptMs: config.attemptTimeout * 1000,
    giveUpMs: config.giveUpAfter * 1000,
    closeMs: config.closeTimeout * 1000,
    log,
  }
}
