import { afterAll, beforeAll } from 'vitest'
import { testFaults } from '../../../test/services/fault-run.ts'
import { describeWithService } from '../../../test/services/require.ts'
import { createClient } from '../src/client.ts'
import { s3Config } from '../src/config.ts'
import { s3, type S3Config } from '../src/index.ts'
import { sweepUploads } from '../src/sweep.ts'
import { bucketOn, CEPH_ENV, cephOf, MIB, type Service, SWIFT_ENV, swiftOf } from './support.ts'

function survives(service: Service): void {
  const bucket = bucketOn(service)
  beforeAll(() => bucket.make())
  afterAll(() => bucket.remove())

  const config = (port: number, more: Partial<S3Config> = {}): S3Config =>
    bucket.config({
      endpoint: `http://127.0.0.1:${port}`,
      connectTimeoutMs: 1000,
      idleTimeoutMs: 1000,
      staleUploadMs: false,
      ...more,
    })

  testFaults({
    name: `s3 (${service.vendor})`,
    port: Number(new URL(service.endpoint).port),
    open: (port) => s3(config(port)),
    leftovers: () => bucket.list(),
    size: 12 * MIB,
    refused: (port) => s3(config(port, { secretAccessKey: 'wrong' })),
    async sweep() {
      const settings = s3Config.parse(bucket.config())
      const client = await createClient(settings)
      const tools = { client, settings, log() {} }
      await sweepUploads(tools, -60_000, Date.now, AbortSignal.timeout(10_000))
      client.close()
    },
  })
}

describeWithService(CEPH_ENV, 'ceph.sh', 's3 store before radosgw', (env) => survives(cephOf(env)))
describeWithService(SWIFT_ENV, 'swift.sh', 's3 store before Swift', (env) => survives(swiftOf(env)))
