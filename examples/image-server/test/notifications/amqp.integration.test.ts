import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, vi } from 'vitest'
import { faultProxy } from '../../../../test/services/fault-proxy.mjs'
import { describeWithService } from '../../../../test/services/require.ts'
import { names, publishing, reader } from './broker.ts'
import { numbered } from './recording.ts'
import { deadUrl } from '../v1/remote.ts'

const WITHIN = { timeout: 20_000, interval: 1 }

const NAMES = ['RABBITMQ_URL', 'RABBITMQ_TLS_URL', 'RABBITMQ_CA', 'RABBITMQ_VHOST2', 'RABBITMQ_PYTHON'] as const
const LISTENER = fileURLToPath(new URL('oslo-listener.py', import.meta.url))

describeWithService(NAMES, 'rabbitmq.sh', 'notifications over AMQP', (env) => {
  const url = env.RABBITMQ_URL

  it('reach a queue that nobody had declared, in order and in the envelope of oslo.messaging', async () => {
    const own = names()
    const { box, log } = publishing(own, { urls: [url] })
    for (let n = 1; n <= 100; n += 1) box.add(numbered(n))
    await box.close()
    const read = await reader(url, own).take(`${own.topic}.info`)
    expect(read.map(({ message }) => message['message_id'])).toEqual(
      Array.from({ length: 100 }, (_, index) => numbered(index + 1).messageId),
    )
    expect(read[0]).toEqual({
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      durable: true,
      exchange: own.exchange,
      routingKey: `${own.topic}.info`,
      envelope: { 'oslo.version': '2.0', 'oslo.message': expect.any(String) as string },
      message: {
        message_id: numbered(1).messageId,
        publisher_id: 'image.test',
        event_type: 'image.update',
        priority: 'INFO',
        payload: 'number 1',
        timestamp: '2026-11-22 16:25:14.123000',
        _unique_id: numbered(1).messageId.replaceAll('-', ''),
      },
    })
    expect(log.lines).toEqual([])
  })

  it('go to the queue of their priority, on every topic', async () => {
    const [own, other] = [names(), names()]
    const { box } = publishing(own, { urls: [url], topics: [own.topic, other.topic] })
    box.add(numbered(1))
    box.add({ ...numbered(2), priority: 'ERROR' })
    await box.close()
    const readers = [reader(url, own), reader(url, other)]
    for (const [index, { topic }] of [own, other].entries()) {
      expect(await readers[index]?.take(`${topic}.info`)).toHaveLength(1)
      expect(await readers[index]?.take(`${topic}.error`)).toHaveLength(1)
    }
  })

  it("are what oslo.messaging's own listener takes for notifications", async () => {
    const own = names()
    const { box } = publishing(own, { urls: [url] })
    box.add(numbered(1, 'ünïcode ☃'))
    box.add({ ...numbered(2), priority: 'ERROR', eventType: 'image.upload', payload: 'the disk is full' })
    box.add(numbered(3))
    await box.close()
    const readBack = reader(url, own)
    const args = [LISTENER, url.replace('amqp:', 'rabbit:'), own.exchange, own.topic, '3']
    const { stdout } = await promisify(execFile)(env.RABBITMQ_PYTHON, args, {
      timeout: 50_000,
      env: { LC_ALL: 'C.UTF-8' },
    })
    const heard = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const shown = (priority: string) => heard.filter((one) => one['priority'] === priority)
    expect(shown('info')).toEqual([
      {
        priority: 'info',
        publisher_id: 'image.test',
        event_type: 'image.update',
        payload: 'ünïcode ☃',
        message_id: numbered(1).messageId,
        timestamp: '2026-11-22 16:25:14.123000',
      },
      expect.objectContaining({ message_id: numbered(3).messageId }),
    ])
    expect(shown('error')).toMatchObject([{ event_type: 'image.upload', payload: 'the disk is full' }])
    expect(await readBack.take(`${own.topic}.info`)).toEqual([])
  })

  it('go through TLS to a broker that the given authority vouches for, and to no other', async () => {
    const own = names()
    const readBack = reader(url, own)
    const strict = publishing(own, { urls: [env.RABBITMQ_TLS_URL], outbox: { closeMs: 100 } })
    strict.box.add(numbered(1))
    await vi.waitUntil(() => strict.log.lines.length > 0, WITHIN)
    expect(strict.log.lines[0]?.fields['reason']).toMatch(/certificate/)
    const { box, log } = publishing(own, {
      urls: [env.RABBITMQ_TLS_URL],
      ca: [await readFile(env.RABBITMQ_CA, 'utf8')],
    })
    box.add(numbered(2))
    await box.close()
    expect(log.lines).toEqual([])
    expect(await readBack.take(`${own.topic}.info`)).toMatchObject([{ message: { message_id: numbered(2).messageId } }])
  })

  it('go to the virtual host of the URL', async () => {
    const own = names()
    const there = url + encodeURIComponent(env.RABBITMQ_VHOST2)
    const { box } = publishing(own, { urls: [there] })
    box.add(numbered(1))
    await box.close()
    expect(await reader(there, own).take(`${own.topic}.info`)).toHaveLength(1)
  })

  it('go to the next broker when one does not answer', async () => {
    const own = names()
    const dead = (await deadUrl()).replace('http:', 'amqp:').replace('/data', '/')
    const { box, log } = publishing(own, { urls: [dead, url] })
    box.add(numbered(1))
    await vi.waitUntil(() => log.lines.length === 2, WITHIN)
    expect(log.lines[0]?.fields['reason']).toContain('ECONNREFUSED')
    expect(await reader(url, own).take(`${own.topic}.info`)).toHaveLength(1)
  })

  it('wait while the broker refuses the login, and the password is nowhere in the log', async () => {
    const own = names()
    const wrong = url.replace(/:[^:@/]+@/, ':wr0ng-passw0rd@')
    const { box, log } = publishing(own, { urls: [wrong, url] })
    box.add(numbered(1))
    await vi.waitUntil(() => log.lines.length === 2, WITHIN)
    expect(log.lines[0]?.fields['reason']).toMatch(/ACCESS_REFUSED|refused/i)
    expect(JSON.stringify(log.lines)).not.toContain('wr0ng')
    await reader(url, own).take(`${own.topic}.info`)
  })

  it('wait while the exchange is another than configured, and arrive once that is set right', async () => {
    const own = names()
    const readBack = reader(url, own)
    await readBack.connection.exchangeDeclare({ exchange: own.exchange, type: 'topic', durable: true })
    const { box, log } = publishing(own, { urls: [url] })
    box.add(numbered(1))
    await vi.waitUntil(() => log.lines.length === 1, WITHIN)
    expect(log.lines[0]?.fields['reason']).toMatch(/durable/)
    await readBack.connection.exchangeDelete({ exchange: own.exchange })
    expect(await readBack.takeCount(`${own.topic}.info`, 1)).toHaveLength(1)
  })

  it('are not lost when somebody removes the queue: it is made again', async () => {
    const own = names()
    const readBack = reader(url, own)
    const { box, log } = publishing(own, { urls: [url] })
    box.add(numbered(1))
    expect(await readBack.takeCount(`${own.topic}.info`, 1)).toHaveLength(1)
    await readBack.connection.queueDelete(`${own.topic}.info`)
    box.add(numbered(2))
    expect(await readBack.takeCount(`${own.topic}.info`, 1)).toMatchObject([
      { message: { message_id: numbered(2).messageId } },
    ])
    expect(log.lines[0]?.fields['reason']).toContain('no queue takes')
  })

  it('survive connections that break: none is lost, their order stays, a repeated one has its id', async () => {
    const own = names()
    const proxy = await faultProxy({ target: Number(new URL(url).port) })
    const readBack = reader(url, own)
    const through = Object.assign(new URL(url), { port: String(proxy.port) }).href
    const { box } = publishing(own, { urls: [through] })
    for (let n = 1; n <= 300; n += 1) {
      box.add(numbered(n))
      if (n % 60 === 0) {
        await vi.waitUntil(() => proxy.stats.connections > proxy.stats.cut, WITHIN)
        proxy.cut(n % 120 === 0 ? 'fin' : 'reset')
      }
    }
    await box.close()
    const ids = (await readBack.take(`${own.topic}.info`)).map(({ message }) => message['message_id'])
    const once = ids.filter((id, index) => id !== ids[index - 1])
    expect(once).toEqual(Array.from({ length: 300 }, (_, index) => numbered(index + 1).messageId))
    await proxy.close()
  })

  it('survive a broker that falls silent', async () => {
    const own = names()
    const proxy = await faultProxy({ target: Number(new URL(url).port) })
    const readBack = reader(url, own)
    const through = Object.assign(new URL(url), { port: String(proxy.port) }).href
    const { box, log } = publishing(own, { urls: [through], outbox: { attemptMs: 500 } })
    box.add(numbered(1))
    expect(await readBack.takeCount(`${own.topic}.info`, 1)).toHaveLength(1)
    proxy.cut('stall')
    box.add(numbered(2))
    expect(await readBack.takeCount(`${own.topic}.info`, 1)).toHaveLength(1)
    expect(log.lines[0]?.fields['reason']).toBe('no answer within 0.5 s')
    await box.close()
    await proxy.close()
  })

  it('to a broker that is never there are bounded, told once and given up within the bound of close', async () => {
    const dead = (await deadUrl()).replace('http:', 'amqp:').replace('/data', '/')
    const before = sockets()
    const { box, log } = publishing(names(), {
      urls: [dead],
      outbox: { maxCount: 50, maxBytes: 100_000, closeMs: 200 },
    })
    for (let n = 1; n <= 10_000; n += 1) box.add(numbered(n, 'x'.repeat(1_000)))
    await vi.waitUntil(() => log.lines.length === 2, WITHIN)
    const begun = performance.now()
    await box.close()
    expect(performance.now() - begun).toBeLessThan(3_000)
    expect(log.messages()).toEqual([
      'notifications are being lost',
      'notifications cannot be delivered; trying again',
      'notifications were lost by the end',
    ])
    expect(log.lines[2]?.fields['lost']).toBe(10_000)
    await vi.waitUntil(() => sockets() <= before, WITHIN)
  })

  it('leave no connection behind when they are closed', async () => {
    const own = names()
    const before = sockets()
    const { box } = publishing(own, { urls: [url] })
    box.add(numbered(1))
    await box.close()
    await vi.waitUntil(() => sockets() <= before, WITHIN)
    await reader(url, own).take(`${own.topic}.info`)
  })
})

function sockets(): number {
  return process.getActiveResourcesInfo().filter((resource) => /^(TCP|TLS)/.test(resource)).length
}
