import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../../test/services/require.ts'
import { publisher } from '../../src/notifications/publisher.ts'
import { RAW, startServer } from '../v1/server.ts'
import { names, publishing, reader } from './broker.ts'

const SCRIPT = fileURLToPath(new URL('../../../../test/services/rabbitmq.sh', import.meta.url))
// below those that the system gives to connections, which could take one while the broker is down
const PORTS = [25_000, 31_000] as const

/** A broker that nobody else uses. */
async function privateBroker() {
  const dir = await mkdtemp(join(tmpdir(), 'mullion-broker-'))
  const env = { ...process.env, MULLION_SERVICES_DIR: dir, MULLION_PORT_BASE: String(randomInt(...PORTS)) }
  const service = async (verb: string) => (await promisify(execFile)('bash', [SCRIPT, verb], { env })).stdout
  onTestFinished(async () => {
    await service('purge')
    await promisify(execFile)('rm', ['-rf', dir])
  }, 60_000)
  const url = /RABBITMQ_URL=(\S+)/.exec(await service('up'))?.[1] ?? ''
  return { url, stop: () => service('down'), start: () => service('up') }
}

describeWithService(['RABBITMQ_URL'], 'rabbitmq.sh', 'a broker that is restarted', () => {
  it('gets all notifications, in order, and no request waits for it', { timeout: 120_000 }, async () => {
    const broker = await privateBroker()
    const own = names()
    const { box, log } = publishing(own, { urls: [broker.url], durable: true })
    const options = { publisherId: 'image.localhost', now: () => new Date(), newId: () => crypto.randomUUID() }
    const server = await startServer({ ports: { notifier: publisher([box], options) } })
    const ids: string[] = []
    let slowest = 0
    const upload = async (): Promise<void> => {
      const begun = performance.now()
      const answer = await server.call('POST', '/v1/images', RAW, 'data')
      slowest = Math.max(slowest, performance.now() - begun)
      ids.push(answer.json.image.id)
    }
    for (let n = 0; n < 10; n += 1) await upload()
    const stopped = broker.stop()
    for (let n = 0; n < 40; n += 1) await upload()
    await stopped
    for (let n = 0; n < 10; n += 1) await upload()
    await broker.start()
    for (let n = 0; n < 10; n += 1) await upload()
    await box.close()

    const read = await reader(broker.url, own).take(`${own.topic}.info`)
    const told = read.map(
      ({ message }) => `${(message['payload'] as { id: string }).id} ${String(message['event_type'])}`,
    )
    const events = ['image.create', 'image.prepare', 'image.upload', 'image.activate', 'image.update']
    expect(told.filter((one, index) => one !== told[index - 1])).toEqual(
      ids.flatMap((id) => events.map((event) => `${id} ${event}`)),
    )
    expect(log.messages()).toEqual([
      'notifications cannot be delivered; trying again',
      'notifications are delivered again',
    ])
    expect(log.lines[1]?.fields['lost']).toBe(0)
    expect(slowest).toBeLessThan(2_000)
  })
})
