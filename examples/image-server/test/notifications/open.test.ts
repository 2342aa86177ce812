import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newImage } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openNotifier } from '../../src/notifications/open.ts'
import { deadUrl } from '../v1/remote.ts'
import { startReceiver } from './receiver.ts'
import { recordingLog } from './recording.ts'

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const image = newImage({}, new Date(0), () => 'id')

/** The notifier of a configuration of variables below MULLION_NOTIFICATIONS_. */
async function opened(settings: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const variables = Object.entries(settings).map(([name, value]) => [`MULLION_NOTIFICATIONS_${name}`, value] as const)
  const { config } = loadConfig(undefined, { ...env, ...Object.fromEntries(variables) })
  const log = recordingLog()
  const newId = (): string => crypto.randomUUID()
  return { notifier: await openNotifier(config.notifications, log, { now: () => new Date(), newId }), log }
}

async function fileWith(content: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'mullion-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  await writeFile(join(dir, 'content'), content)
  return join(dir, 'content')
}

describe('the notifications of a configuration', () => {
  it('go to the log when nothing is said', async () => {
    const { notifier, log } = await opened({})
    notifier.notify('create', image)
    await notifier.close()
    expect(log.messages()).toEqual(['image.create'])
  })

  it('go nowhere when that is what is wanted', async () => {
    const { notifier, log } = await opened({ LOG: 'false' })
    notifier.notify('create', image)
    await notifier.close()
    expect(log.lines).toEqual([])
  })

  it('go to a webhook whose URL and secrets are references', async () => {
    const { url, received } = await startReceiver()
    const settings = {
      WEBHOOK_URL: 'env:HOOK',
      WEBHOOK_SECRETS: `env:KEY,file:${await fileWith(`${SECRET}\n`)}`,
      PUBLISHER_ID: 'image.here',
      DISABLED_NOTIFICATIONS: 'image.delete',
      LOG: 'false',
    }
    const { notifier } = await opened(settings, { HOOK: url, KEY: SECRET })
    notifier.notify('create', image)
    notifier.notify('delete', image)
    await notifier.close()
    expect(received.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
      { source: 'image.here', type: 'org.openstack.image.create', subject: 'id' },
    ])
    const [first, second] = String(received[0]?.headers['webhook-signature']).split(' ')
    expect(first).toBe(second)
  })

  it('have an own queue for each receiver: one that is away does not hold the other up', async () => {
    const { url, received } = await startReceiver()
    const amqp = (await deadUrl()).replace('http:', 'amqp:').replace('/data', '/')
    const settings = { WEBHOOK_URL: url, WEBHOOK_SECRETS: SECRET, AMQP_URLS: amqp, CLOSE_TIMEOUT: '0.1', LOG: 'false' }
    const { notifier, log } = await opened(settings)
    for (let n = 0; n < 5; n += 1) notifier.notify('update', image)
    await notifier.close()
    expect(received).toHaveLength(5)
    expect(log.lines.at(-1)).toMatchObject({ level: 'error', fields: { lost: 5 } })
  })
})

describe('a configuration of notifications that cannot work', () => {
  const hook = { WEBHOOK_URL: 'https://hooks.example/', WEBHOOK_SECRETS: SECRET }
  it.each([
    [{ WEBHOOK_URL: 'ftp://u:s3cr3t@host/' }, 'notifications: webhook_url: expected an http or https URL'],
    [{ WEBHOOK_URL: 's3cr3t' }, 'notifications: webhook_url: expected an http or https URL'],
    [{ WEBHOOK_URL: hook.WEBHOOK_URL }, 'notifications: webhook_secrets: at least one is needed to sign what is sent'],
    [
      { ...hook, WEBHOOK_SECRETS: `${SECRET},s3cr3t` },
      'notifications: webhook_secrets: number 2: expected whsec_ and 24 to 64 bytes in base64',
    ],
    [
      { ...hook, WEBHOOK_CA: '/no/such/file' },
      'notifications: webhook_ca: /no/such/file: expected a readable file of PEM certificates',
    ],
    [{ AMQP_URLS: 'http://u:s3cr3t@host/' }, 'notifications: amqp_urls: expected amqp:// or amqps:// URLs'],
    [{ AMQP_URLS: 'amqp://u:s3cr3t%@host/' }, 'notifications: amqp_urls: a % that is no percent-encoding'],
    [{ AMQP_URLS: 'amqp:///' }, 'notifications: amqp_urls: expected amqp:// or amqps:// URLs'],
  ])('%o is refused, and no secret shown', async (settings, message) => {
    const refusal = await opened(settings).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'invalid_config', message })
    expect(JSON.stringify(refusal)).not.toContain('s3cr3t')
  })

  it('is refused for a file of authorities with broken certificates', async () => {
    const path = await fileWith('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    await expect(opened({ ...hook, WEBHOOK_CA: path })).rejects.toMatchObject({ code: 'invalid_config' })
  })

  it('is refused for a reference to nothing, by the name of its key', () => {
    return expect(opened({ WEBHOOK_URL: 'env:NOT_SET' })).rejects.toMatchObject({
      message: expect.stringMatching(/MULLION_NOTIFICATIONS_WEBHOOK_URL.*NOT_SET/) as string,
    })
  })
})
