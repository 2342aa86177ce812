import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { META, OCTETS, send } from '../process/client.ts'
import { killAll, start } from '../process/server-process.ts'
import { startReceiver } from './receiver.ts'

const WITHIN = { timeout: 20_000, interval: 1 }

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-process-'))
})
afterEach(async () => {
  await killAll()
  rmSync(directory, { recursive: true, force: true })
})

const launch = (url: string, env: Readonly<Record<string, string>> = {}) =>
  start({
    MULLION_DATA_DIR: directory,
    MULLION_NOTIFICATIONS_WEBHOOK_URL: url,
    MULLION_NOTIFICATIONS_WEBHOOK_SECRETS: SECRET,
    MULLION_NOTIFICATIONS_LOG: 'false',
    ...env,
  })

describe('a server that stops while notifications wait', { timeout: 40_000 }, () => {
  it('delivers them before it ends', async () => {
    let away = true
    const { url, received } = await startReceiver((answer) =>
      answer.writeHead(away ? 503 : 204, { 'retry-after': '60' }).end(),
    )
    const server = await launch(url)
    expect((await send('POST', `${server.url}/v1/images`, { ...META, ...OCTETS }, Buffer.from('data'))).status).toBe(
      201,
    )
    await vi.waitUntil(() => received.length === 1, WITHIN)
    away = false
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    expect(received.slice(1).map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual(
      ['create', 'prepare', 'upload', 'activate', 'update'].map((event) => `org.openstack.image.${event}`),
    )
  })

  it('ends in time all the same when nobody takes them, and says how many are lost', async () => {
    const silent = await startReceiver(() => {})
    const server = await launch(silent.url, { MULLION_NOTIFICATIONS_CLOSE_TIMEOUT: '0.5' })
    expect((await send('POST', `${server.url}/v1/images`, { ...META, ...OCTETS }, Buffer.from('data'))).status).toBe(
      201,
    )
    await vi.waitUntil(() => silent.received.length === 1, WITHIN)
    const begun = performance.now()
    server.kill('SIGTERM')
    const { code, stderr } = await server.ended
    expect(code).toBe(0)
    expect(performance.now() - begun).toBeLessThan(15_000)
    const lines = stderr.split('\n').filter((line) => line.includes('were lost by the end'))
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ lost: 5, level: 50 }])
    expect(stderr).not.toMatch(/whsec|key=q/)
  })
})
