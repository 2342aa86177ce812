import { execFileSync } from 'node:child_process'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../../test/services/require.ts'
import { META, OCTETS, send, untilStatus } from '../process/client.ts'
import { killAll, type ServerProcess, start } from '../process/server-process.ts'

/** More than one part, segment, chunk or object of every backend below. */
const BYTES = randomBytes(12 * 1024 * 1024 + 1)

/** The keys of the `[stores.tested]` table; values are JSON, which is TOML for these. */
type Table = Readonly<Record<string, string | number | boolean | Readonly<Record<string, string>>>>

describeWithService(
  ['S3_ENDPOINT', 'S3_REGION', 'S3_ACCESS_KEY', 'S3_SECRET_KEY'],
  'ceph.sh',
  'server with s3',
  (env) => {
    const bucket = `server-${randomUUID()}`
    const ask = (method: string): void => {
      const user = `${env.S3_ACCESS_KEY}:${env.S3_SECRET_KEY}`
      const nothing = `x-amz-content-sha256: ${createHash('sha256').digest('hex')}`
      const signed = ['--aws-sigv4', `aws:amz:${env.S3_REGION}:s3`, '--user', user, '--header', nothing]
      execFileSync('curl', ['-sSf', '-X', method, ...signed, `${env.S3_ENDPOINT}/${bucket}`])
    }
    beforeAll(() => ask('PUT'))
    afterAll(() => ask('DELETE')) // refused unless every image is gone
    scenarios(
      {
        type: 's3',
        vendor: 'ceph',
        endpoint: env.S3_ENDPOINT,
        region: env.S3_REGION,
        bucket,
        access_key_id: env.S3_ACCESS_KEY,
        secret_access_key: 'env:TESTED_SECRET',
      },
      { TESTED_SECRET: env.S3_SECRET_KEY },
    )
  },
)

describeWithService(['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY'], 'swift.sh', 'server with swift', (env) => {
  scenarios(
    {
      type: 'swift',
      container: `server-${randomUUID()}`,
      create_container: true,
      large_object_size: 8 * 1024 * 1024,
      segment_size: 5 * 1024 * 1024,
      auth: { type: 'v1', url: env.SWIFT_AUTH_URL, user: env.SWIFT_USER, key: 'env:TESTED_SECRET' },
    },
    { TESTED_SECRET: env.SWIFT_KEY },
  )
})

describeWithService(['GCS_ENDPOINT', 'GCS_BUCKET'], 'gcs.sh', 'server with gcs', (env) => {
  scenarios({ type: 'gcs', endpoint: env.GCS_ENDPOINT, bucket: env.GCS_BUCKET, chunk_size: 4 * 1024 * 1024 })
})

describeWithService(
  ['SFTP_HOST', 'SFTP_PORT', 'SFTP_USER', 'SFTP_PASSWORD', 'SFTP_HOST_FINGERPRINT', 'SFTP_ROOT'],
  'sftp.sh',
  'server with sftp',
  (env) => {
    scenarios(
      {
        type: 'sftp',
        host: env.SFTP_HOST,
        port: Number(env.SFTP_PORT),
        user: env.SFTP_USER,
        password: 'env:TESTED_SECRET',
        host_fingerprint: env.SFTP_HOST_FINGERPRINT,
        root: env.SFTP_ROOT,
      },
      { TESTED_SECRET: env.SFTP_PASSWORD },
    )
  },
)

describeWithService(['RBD_CEPH_CONF', 'RBD_USER', 'RBD_POOL', 'RBD_KEYRING'], 'ceph.sh', 'server with rbd', (env) => {
  scenarios({
    type: 'rbd',
    pool: env.RBD_POOL,
    user: env.RBD_USER,
    conf_file: env.RBD_CEPH_CONF,
    keyring: env.RBD_KEYRING,
  })
})

/** The four ways to make an image, with the store as default store by its configuration alone. */
function scenarios(table: Table, env: Readonly<Record<string, string>> = {}): void {
  describe('makes an image', () => {
    let directory: string
    let server: ServerProcess
    let origin: Server
    let from: string

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'mullion-backends-'))
      origin = createServer((_request, response) => response.setHeader('content-length', BYTES.length).end(BYTES))
      await once(origin.listen(0, '127.0.0.1'), 'listening')
      from = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/image`
      const file = join(directory, 'mullion.toml')
      writeFileSync(file, toml(directory, table))
      server = await start({ MULLION_CONFIG: file, ...env })
    })
    afterAll(async () => {
      await killAll()
      origin.close()
      rmSync(directory, { recursive: true })
    })

    async function create(headers: Readonly<Record<string, string>>, body?: Buffer): Promise<string> {
      const { status, body: answer } = await send('POST', `${server.url}/v1/images`, { ...META, ...headers }, body)
      expect(status, answer.toString()).toBe(201)
      return (JSON.parse(answer.toString()) as { image: { id: string } }).image.id
    }

    /** Reads the image back, deletes it, and sees that its data cannot be read any more. */
    async function holds(id: string): Promise<void> {
      const url = `${server.url}/v1/images/${id}`
      await untilStatus(server.url, id, 'active')
      const { body, headers } = await send('GET', url)
      expect(body.equals(BYTES)).toBe(true)
      expect(headers['x-image-meta-size']).toBe(String(BYTES.length))
      expect((await send('DELETE', url)).status).toBe(200)
      expect((await send('GET', url)).status).toBe(404)
      expect(server.log()).not.toMatch(/"level":(?:50|60)/)
    }

    const md5 = createHash('md5').update(BYTES).digest('hex')

    it('from data that is uploaded with it', async () => {
      const id = await create({ ...OCTETS, 'x-image-meta-checksum': md5 }, BYTES)
      await holds(id)
    })
    it('from a URL, copied in the background', async () => {
      await holds(await create({ 'x-glance-api-copy-from': from }))
    })
    it('at a location that is registered', async () => {
      await holds(await create({ 'x-image-meta-location': from }))
      expect((await send('GET', from)).status).toBe(200)
    })
    it('that is reserved, and sent later', async () => {
      const id = await create({})
      expect((await send('PUT', `${server.url}/v1/images/${id}`, OCTETS, BYTES)).status).toBe(200)
      await holds(id)
    })
  })
}

function toml(directory: string, table: Table): string {
  const lines = Object.entries(table).map(([key, value]) => `${key} = ${inline(value)}`)
  return `data_dir = ${JSON.stringify(directory)}
default_store = "tested"
[stores.http]
allow = ["127.0.0.1"]
[stores.tested]
${lines.join('\n')}
`
}

function inline(value: Table[string]): string {
  if (typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.entries(value).map(([key, text]) => `${key} = ${JSON.stringify(text)}`)
  return `{ ${entries.join(', ')} }`
}
