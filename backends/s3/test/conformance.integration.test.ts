import { type Harness, testStore } from 'mullion/testkit'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { s3 } from '../src/index.ts'
import { type CephUser, cephUser, limitContainer } from './refusing.ts'
import { type Bucket, bucketOn, CEPH_ENV, cephOf, MIB, SWIFT_ENV, swiftOf } from './support.ts'

/** The kit on a bucket; `full` is one that takes no object of 1 MiB. */
function conforms(name: string, bucket: Bucket, full: () => Bucket, refusing: Harness['refusing']): void {
  const listed = async (from: Bucket): Promise<readonly string[]> =>
    (await from.list()).map((key) => `${from.name}/${key}`)
  testStore(
    { describe, it },
    {
      name: `s3 (${name})`,
      open: () => s3(bucket.config({ prefix: 'images/' })),
      leftovers: async () => [...(await listed(bucket)), ...(await listed(full()))],
      unit: 5 * MIB,
      patienceMs: 10_000,
      refusing: {
        unauthenticated: () => s3(bucket.config({ secretAccessKey: 'wrong' })),
        storage_full: () => s3(full().config()),
        ...refusing,
      },
    },
  )
}

describeWithService([...CEPH_ENV, 'RBD_CEPH_CONF'], 'ceph.sh', 's3 store with radosgw', (env) => {
  const bucket = bucketOn(cephOf(env))
  let full: Bucket
  let limited: CephUser
  beforeAll(async () => {
    limited = await cephUser(cephOf(env), env.RBD_CEPH_CONF, MIB)
    full = bucketOn(limited.service)
    await Promise.all([bucket.make(), full.make()])
  })
  afterAll(async () => {
    await Promise.all([bucket.remove(), full.remove()])
    await limited.remove()
  })
  const { bucket: name } = bucket.config()
  conforms('radosgw', bucket, () => full, {
    permission_denied: () => s3({ ...full.config(), bucket: name }), // of another user
  })
})

const SWIFT = [
  ...SWIFT_ENV,
  'SWIFT_AUTH_URL',
  'SWIFT_USER',
  'SWIFT_KEY',
  'SWIFT_PLAIN_USER',
  'SWIFT_PLAIN_KEY',
] as const

describeWithService(SWIFT, 'swift.sh', 's3 store with Swift', (env) => {
  const bucket = bucketOn(swiftOf(env))
  const full = bucketOn(swiftOf(env))
  beforeAll(async () => {
    await Promise.all([bucket.make(), full.make()])
    await limitContainer(env, full.name, MIB - 1)
  })
  afterAll(async () => {
    await Promise.all([bucket.remove(), full.remove()])
  })
  const plain = { accessKeyId: env.SWIFT_PLAIN_USER, secretAccessKey: env.SWIFT_PLAIN_KEY }
  conforms('Swift', bucket, () => full, { permission_denied: () => s3(bucket.config(plain)) })
})
