import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gcs } from '@mullion/gcs'
import { http } from '@mullion/http'
import { s3 } from '@mullion/s3'
import { swift } from '@mullion/swift'
import { memory, type StoreMap } from 'mullion'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RAW, startServer } from '../v1/server.ts'
import { FORMATS, LOCATION, serving, startOrigin } from './scene.ts'

let directory: string
let ca: string
let server: Server
let url: string
let answer: RequestListener
let requests = 0

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-tls-'))
  ca = join(directory, 'cert.pem')
  const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem']
  execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', ...subject, '-out', ca], {
    cwd: directory,
    stdio: 'pipe',
  })
  const certificate = { key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(ca) }
  server = createServer(certificate, (request, response) => {
    requests += 1
    answer(request, response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(() => {
  requests = 0
  answer = serving('data')
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(directory, { recursive: true })
})

const STORES: readonly [name: string, open: (trusted: object) => StoreMap[string]][] = [
  [
    's3',
    (trusted) =>
      s3({
        endpoint: url,
        bucket: 'images',
        accessKeyId: 'a',
        secretAccessKey: 'b',
        uploadAttempts: 1,
        staleUploadMs: false,
        ...trusted,
      }),
  ],
  [
    'swift',
    (trusted) =>
      swift({ auth: { type: 'v1', url: `${url}/auth/v1.0`, user: 'a:b', key: 'c' }, staleUploadMs: false, ...trusted }),
  ],
]

describe('S-36 (OSSN-0033), S-69: a server whose certificate nobody vouches for', () => {
  it.each(STORES)('is sent nothing by the store %s, unless its authority is configured', async (_name, open) => {
    answer = (_request, response) => response.writeHead(403).end()
    const strict = await startServer({ stores: { remote: open({}) } })
    expect((await strict.call('POST', '/v1/images', RAW, 'data')).status).toBeGreaterThanOrEqual(500)
    expect(requests).toBe(0)
    const trusting = await startServer({ stores: { remote: open({ ca }) } })
    await trusting.call('POST', '/v1/images', RAW, 'data')
    expect(requests).toBeGreaterThan(0)
  })

  it('is sent nothing by the store gcs', async () => {
    const remote = gcs({ bucket: 'images', endpoint: url, anonymous: true, uploadAttempts: 1 })
    const strict = await startServer({ stores: { remote } })
    expect((await strict.call('POST', '/v1/images', RAW, 'data')).status).toBeGreaterThanOrEqual(500)
    expect(requests).toBe(0)
  })

  it('is asked for nothing by the store http, unless its authority is configured', async () => {
    const headers = { ...FORMATS, [LOCATION]: `${url}/data` }
    const strict = await startServer()
    expect((await strict.call('POST', '/v1/images', headers)).status).toBeGreaterThanOrEqual(400)
    expect(requests).toBe(0)
    const trusting = await startServer({ stores: { memory: memory(), http: http({ allow: ['127.0.0.1'], ca }) } })
    expect((await trusting.call('POST', '/v1/images', headers)).status).toBe(201)
  })
})

it('S-61: a redirect from https to http is not followed', async () => {
  const plain = await startOrigin(serving('data'))
  answer = (_request, response) => response.writeHead(302, { location: plain.url }).end()
  const images = await startServer({ stores: { memory: memory(), http: http({ allow: ['127.0.0.1'], ca }) } })
  expect((await images.call('POST', '/v1/images', { ...FORMATS, [LOCATION]: url })).status).toBe(400)
  expect([requests > 0, plain.connections.length]).toEqual([true, 0])
})
