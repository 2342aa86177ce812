import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createStores, revealUri } from 'mullion'
import { assertSeeded, seededBytes, seededStream } from 'mullion/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { s3 } from '../src/index.ts'
import { bucketOn, CEPH_ENV, cephOf, MIB, type Service, SWIFT_ENV, swiftOf } from './support.ts'

const run = promisify(execFile)
const SIZES = [0, 1, 5 * MIB, 12 * MIB + 1]

function agrees(service: Service): void {
  const bucket = bucketOn(service)
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mullion-s3-'))
    await bucket.make()
  })
  afterAll(async () => {
    await rm(dir, { recursive: true })
    await bucket.remove()
  })

  /** Debian's awscli. */
  async function aws(...words: readonly string[]): Promise<string> {
    const env = {
      PATH: process.env['PATH'],
      HOME: dir,
      AWS_ACCESS_KEY_ID: service.accessKeyId,
      AWS_SECRET_ACCESS_KEY: service.secretAccessKey,
      AWS_DEFAULT_REGION: service.region,
    }
    const { stdout } = await run('/usr/bin/aws', ['--endpoint-url', service.endpoint, 's3', ...words], { env })
    return stdout
  }

  const open = () =>
    createStores({ stores: { s3: s3(bucket.config({ prefix: 'images/' })) }, default: 's3', retry: { attempts: 1 } })

  it.each(SIZES)('writes %o bytes that aws reads, under the location it knows', async (size) => {
    await using stores = await open()
    const { location } = await stores.add(randomUUID(), seededStream(1, size))
    const file = join(dir, 'read')
    await aws('cp', '--only-show-errors', revealUri(location), file)
    expect(Buffer.compare(await readFile(file), seededBytes(1, size))).toBe(0)
    expect(await aws('ls', revealUri(location))).toMatch(new RegExp(` ${size} `))
  })

  it.each(SIZES)('reads %o bytes that aws wrote', async (size) => {
    await using stores = await open()
    const uri = `s3://${bucket.name}/images/${randomUUID()}`
    const file = join(dir, 'write')
    await writeFile(file, seededBytes(2, size))
    await aws('cp', '--only-show-errors', file, uri)
    await using got = await stores.get(uri)
    expect(got.size).toBe(size)
    await assertSeeded(got.body, { seed: 2, length: size })
    await stores.delete(uri)
    await expect(stores.getSizeFromBackend(uri)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('reads what Glance recorded, with or without its credentials, and nothing of another service', async () => {
    const config = bucket.config({ accessKeyId: service.accessKeyId, legacyHosts: ['old.example.org'] })
    await using stores = await createStores({ stores: { s3: s3(config) }, default: 's3' })
    const key = randomUUID()
    await stores.add(key, seededBytes(3, 100))
    const { host } = new URL(service.endpoint)
    for (const before of [`access:se/cret@${host}`, host, 'access:secret@old.example.org']) {
      expect(await stores.getSizeFromBackend(`s3+http://${before}/${bucket.name}/${key}`)).toBe(100)
    }
    const elsewhere = stores.getSizeFromBackend(`s3+http://access:secret@other.example.org/${bucket.name}/${key}`)
    await expect(elsewhere).rejects.toMatchObject({ code: 'invalid_location', message: /^(?!.*secret@?other).*$/ })
  })
}

describeWithService(CEPH_ENV, 'ceph.sh', 's3 store and aws on radosgw', (env) => agrees(cephOf(env)))
describeWithService(SWIFT_ENV, 'swift.sh', 's3 store and aws on Swift', (env) => agrees(swiftOf(env)))
