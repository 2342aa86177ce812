import type { ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { cloudEvent } from '../../src/notifications/cloud-event.ts'
import { Outbox, type OutboxOptions } from '../../src/notifications/outbox.ts'
import { type SigningKey, signingKey } from '../../src/notifications/signature.ts'
import { webhook } from '../../src/notifications/webhook.ts'
import { deadUrl } from '../v1/remote.ts'
import { expectedSignature, startReceiver } from './receiver.ts'
import { numbered, recordingLog } from './recording.ts'

const WITHIN = { timeout: 20_000, interval: 1 }

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const OLD_SECRET = `whsec_${Buffer.alloc(24, 2).toString('base64')}`
const OPTIONS = {
  maxCount: 100,
  maxBytes: 1_000_000,
  attemptMs: 10_000,
  giveUpMs: 60_000,
  closeMs: 5_000,
  pauseMs: 1,
  maxPauseMs: 4,
}

/** An outbox that posts to the URL; closed when the test ends. */
function posting(url: string, options: Partial<OutboxOptions> & { readonly secrets?: readonly string[] } = {}) {
  const { secrets = [SECRET], ...rest } = options
  const log = recordingLog()
  const keys = secrets.map((secret) => signingKey(secret) as SigningKey)
  const box = new Outbox(webhook({ url, keys }), { ...OPTIONS, log, ...rest })
  onTestFinished(() => box.close())
  return { box, log }
}

/** Answers what the statuses say, in turn, and 204 afterwards. */
function statuses(...list: readonly (number | ((response: ServerResponse) => unknown))[]) {
  return (response: ServerResponse, n: number): void => {
    const status = list[n - 1] ?? 204
    if (typeof status === 'number') response.writeHead(status).end('why not')
    else status(response)
  }
}

describe('a webhook', () => {
  it('is a POST of one CloudEvent in structured JSON', async () => {
    const { url, received } = await startReceiver()
    const { box } = posting(url)
    box.add(numbered(1))
    await box.close()
    expect(received).toHaveLength(1)
    const [{ method, path, headers, body } = received[0]!] = received
    expect([method, path]).toEqual(['POST', '/hook?key=q'])
    expect(headers).toMatchObject({
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
    })
    expect(JSON.parse(body)).toEqual(cloudEvent(numbered(1)))
  })

  it('is signed with every secret, over id, time of the try and body', async () => {
    const { url, received } = await startReceiver()
    const { box } = posting(url, { secrets: [SECRET, OLD_SECRET] })
    box.add(numbered(1, 'ünïcode'))
    await box.close()
    const request = received[0]!
    expect(request.headers['webhook-id']).toBe(numbered(1).messageId)
    expect(Math.abs(Number(request.headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60)
    expect(request.headers['webhook-signature']).toBe(
      `${expectedSignature(SECRET, request)} ${expectedSignature(OLD_SECRET, request)}`,
    )
  })

  it('goes over one connection, in order', async () => {
    const { url, received, connections } = await startReceiver()
    const { box, log } = posting(url)
    for (let n = 1; n <= 50; n += 1) box.add(numbered(n))
    await box.close()
    expect(received.map(({ id }) => id)).toEqual(
      Array.from({ length: 50 }, (_, index) => numbered(index + 1).messageId),
    )
    expect(connections.total).toBe(1)
    expect(log.lines).toEqual([])
    await vi.waitUntil(() => connections.open === 0, WITHIN)
  })

  it.each([
    ['500', [500]],
    ['502, 503 and 504', [502, 503, 504]],
    ['408 and 429', [408, 429]],
    ['a connection that is reset', [(response: ServerResponse) => response.socket?.resetAndDestroy()]],
    ['a connection that ends without an answer', [(response: ServerResponse) => response.socket?.end()]],
    ['an answer that is no HTTP', [(response: ServerResponse) => response.socket?.end('hello\r\n\r\n')]],
  ])('is sent again after %s, with the same id', async (_what, list) => {
    const { url, received } = await startReceiver(statuses(...list))
    const { box } = posting(url)
    box.add(numbered(1))
    box.add(numbered(2))
    await vi.waitUntil(() => received.length === list.length + 2, WITHIN)
    const ids = received.map(({ id }) => id)
    expect(ids).toEqual([...list.map(() => numbered(1).messageId), numbered(1).messageId, numbered(2).messageId])
    expect(received.map((request) => request.headers['webhook-signature'])).toEqual(
      received.map((request) => expectedSignature(SECRET, request)),
    )
  })

  it('is sent again when no answer comes in time', async () => {
    const { url, received } = await startReceiver(statuses(() => {}))
    const { box, log } = posting(url, { attemptMs: 50 })
    box.add(numbered(1))
    await vi.waitUntil(() => received.length === 2, WITHIN)
    expect(log.lines[0]).toMatchObject({ fields: { reason: 'no answer within 0.05 s' } })
  })

  it.each([400, 401, 404, 409, 410, 422])('is not sent again after %i', async (status) => {
    const { url, received } = await startReceiver(statuses(status))
    const { box, log } = posting(url)
    box.add(numbered(1))
    box.add(numbered(2))
    await box.close()
    expect(received.map(({ id }) => id)).toEqual([numbered(1).messageId, numbered(2).messageId])
    expect(log.lines[0]).toMatchObject({ level: 'error', fields: { reason: `answered ${status}` } })
  })

  it.each([301, 302, 307, 308])('does not follow %i', async (status) => {
    const other = await startReceiver()
    const { url, received } = await startReceiver((response) =>
      response.writeHead(status, { location: other.url }).end(),
    )
    const { box, log } = posting(url)
    box.add(numbered(1))
    await box.close()
    expect([received.length, other.received.length]).toEqual([1, 0])
    expect(log.lines[0]).toMatchObject({ fields: { reason: `answered ${status}: redirects are not followed` } })
  })

  it.each([
    ['seconds', () => '1'],
    ['a date', () => new Date(Date.now() + 2_000).toUTCString()],
  ])('waits as Retry-After says in %s', async (_form, value) => {
    const times: number[] = []
    const { url, received } = await startReceiver((response, n) => {
      times.push(Date.now())
      response.writeHead(n === 1 ? 503 : 204, n === 1 ? { 'retry-after': value() } : {}).end()
    })
    posting(url).box.add(numbered(1))
    await vi.waitUntil(() => received.length === 2, WITHIN)
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(950)
  })

  it('does not mind a Retry-After that is nonsense', async () => {
    const { url, received } = await startReceiver((response, n) =>
      response.writeHead(n === 1 ? 503 : 204, { 'retry-after': 'soon' }).end(),
    )
    posting(url).box.add(numbered(1))
    await vi.waitUntil(() => received.length === 2, WITHIN)
  })

  it('is delivered by its status, whatever becomes of the rest of the answer', async () => {
    let written = 0
    const { url, received } = await startReceiver((response, n) => {
      if (n > 1) return response.writeHead(204).end()
      response.writeHead(200)
      const chunk = Buffer.alloc(65_536)
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) written += chunk.byteLength
      }
      response.on('drain', more).on('error', () => {})
      more()
    })
    const { box, log } = posting(url)
    box.add(numbered(1))
    box.add(numbered(2))
    await box.close()
    expect(received.map(({ id }) => id)).toEqual([numbered(1).messageId, numbered(2).messageId])
    expect(written).toBeLessThan(64 * 1024 * 1024)
    expect(log.lines).toEqual([])
  })

  it('has the user and password of its URL in its authorization, and nothing of them in the log', async () => {
    const { url, received } = await startReceiver(statuses(401))
    const { box, log } = posting(url.replace('http://', 'http://hook%40user:p%3Ass@'))
    box.add(numbered(1))
    await box.close()
    expect(received[0]?.headers.authorization).toBe(`Basic ${Buffer.from('hook@user:p:ss').toString('base64')}`)
    expect(JSON.stringify(log.lines)).not.toMatch(/hook.*user|p%3Ass|p:ss|key=q|whsec/)
  })
})

describe('a receiver that is slow or away', () => {
  it('keeps the newest notifications and learns of the others from the log', async () => {
    const answers: ServerResponse[] = []
    const { url, received } = await startReceiver((response, n) => {
      if (n === 1) answers.push(response)
      else response.writeHead(204).end()
    })
    const { box, log } = posting(url, { maxCount: 3 })
    box.add(numbered(1))
    await vi.waitUntil(() => answers.length === 1, WITHIN)
    for (let n = 2; n <= 500; n += 1) box.add(numbered(n))
    answers[0]?.writeHead(204).end()
    await box.close()
    expect(received.map(({ id }) => id)).toEqual([1, 499, 500].map((n) => numbered(n).messageId))
    expect(log.messages()).toEqual(['notifications are being lost', 'notifications are delivered again'])
    expect(log.lines[1]?.fields['lost']).toBe(497)
  })

  it('is given up within the bound of close, and nothing stays open', async () => {
    const { url, connections } = await startReceiver(statuses(() => {}))
    const { box, log } = posting(url, { closeMs: 30 })
    box.add(numbered(1))
    box.add(numbered(2))
    await vi.waitUntil(() => connections.open === 1, WITHIN)
    const begun = performance.now()
    await box.close()
    expect(performance.now() - begun).toBeLessThan(2_000)
    expect(log.lines.at(-1)).toMatchObject({ fields: { lost: 2 }, message: 'notifications were lost by the end' })
    await vi.waitUntil(() => connections.open === 0, WITHIN)
  })

  it('that nobody answers for is told once', async () => {
    const { box, log } = posting(await deadUrl(), { closeMs: 50, maxCount: 10 })
    for (let n = 1; n <= 100; n += 1) box.add(numbered(n))
    await box.close()
    expect(log.messages()).toEqual([
      'notifications are being lost',
      'notifications cannot be delivered; trying again',
      'notifications were lost by the end',
    ])
    expect(log.lines[1]?.fields['reason']).toContain('ECONNREFUSED')
    expect(log.lines[2]?.fields['lost']).toBe(100)
  })
})
