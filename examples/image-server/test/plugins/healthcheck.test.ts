import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { front } from '../pipeline/support.ts'
import { startServer } from '../v1/server.ts'

const steps = ['healthcheck', 'versionnegotiation'] as const

describe('/healthcheck (Images v1 §1.4)', () => {
  it('answers before anybody is asked who they are', async () => {
    const server = await startServer({ settings: { auth: 'trusted', ...front(steps) } })
    const got = await server.call('GET', '/healthcheck?x=1')
    expect([got.status, got.text, got.headers['content-type']]).toEqual([200, 'OK', 'text/plain; charset=UTF-8'])
    expect(got.headers).not.toHaveProperty('x-openstack-request-id')
    const head = await server.call('HEAD', '/healthcheck')
    expect([head.status, head.text]).toEqual([204, ''])
  })

  it('takes the server out of service while a file is there', async () => {
    const healthcheckDisableFile = join(tmpdir(), `mullion-${crypto.randomUUID()}`)
    onTestFinished(() => rm(healthcheckDisableFile, { force: true }))
    const server = await startServer({ settings: front(steps, { healthcheckDisableFile }) })
    expect((await server.call('GET', '/healthcheck')).status).toBe(200)
    await writeFile(healthcheckDisableFile, '')
    const answer = await server.call('GET', '/healthcheck')
    expect([answer.status, answer.text]).toEqual([503, 'DISABLED BY FILE'])
    expect((await server.call('HEAD', '/healthcheck')).status).toBe(503)
    expect((await server.call('GET', '/v1/images')).status).toBe(200)
    await rm(healthcheckDisableFile)
    expect((await server.call('GET', '/healthcheck')).status).toBe(200)
  })

  it('is out of service too when nobody can see whether the file is there', async () => {
    const server = await startServer({
      settings: front(steps, { healthcheckDisableFile: join(import.meta.filename, 'no-directory') }),
    })
    expect((await server.call('GET', '/healthcheck')).status).toBe(503)
  })

  it('is a path like others without the step', async () => {
    const server = await startServer({ settings: front(['versionnegotiation']) })
    expect((await server.call('GET', '/healthcheck')).status).toBe(300)
    const plain = await startServer({ settings: front([]) })
    expect((await plain.call('GET', '/healthcheck')).status).toBe(404)
    expect((await plain.call('GET', '/v1/images')).status).toBe(200)
    expect((await plain.call('GET', '/v1.1/images')).status).toBe(404)
  })
})
