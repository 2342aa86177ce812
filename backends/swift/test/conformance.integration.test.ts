import { type Harness, testStore } from 'mullion/testkit'
import { afterAll, describe, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { fullStore, keystoneService, type Sandbox, sandbox, UNIT, v1Service } from './support.ts'

describeWithService(
  ['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY', 'SWIFT_PLAIN_USER', 'SWIFT_PLAIN_KEY'],
  'swift.sh',
  'Swift with v1 auth',
  ({ SWIFT_AUTH_URL: url, SWIFT_USER, SWIFT_KEY, SWIFT_PLAIN_USER, SWIFT_PLAIN_KEY }) => {
    const box = sandbox(v1Service(url, SWIFT_USER, SWIFT_KEY))
    conforms('swift', box, {
      storage_full: () => fullStore(box),
      permission_denied: () => box.store({ auth: { type: 'v1', url, user: SWIFT_PLAIN_USER, key: SWIFT_PLAIN_KEY } }),
      unauthenticated: () => box.store({ auth: { type: 'v1', url, user: SWIFT_USER, key: 'wrong' } }),
    })
  },
)

describeWithService(
  [
    'SWIFT_KEYSTONE_PROXY_URL',
    'KEYSTONE_AUTH_URL',
    'KEYSTONE_USER',
    'KEYSTONE_PASSWORD',
    'KEYSTONE_PROJECT',
    'KEYSTONE_PROJECT_ID',
    'KEYSTONE_USER2',
    'KEYSTONE_PASSWORD2',
    'KEYSTONE_PROJECT2',
  ],
  'MULLION_SWIFT_KEYSTONE=1 swift.sh',
  'Swift with Keystone',
  (env) => {
    const url = env.KEYSTONE_AUTH_URL
    const box = sandbox(keystoneService(url, env.KEYSTONE_USER, env.KEYSTONE_PASSWORD, env.KEYSTONE_PROJECT))
    const other = keystoneService(url, env.KEYSTONE_USER2, env.KEYSTONE_PASSWORD2, env.KEYSTONE_PROJECT2).auth
    const storageUrl = `${env.SWIFT_KEYSTONE_PROXY_URL}/v1/AUTH_${env.KEYSTONE_PROJECT_ID}`
    const project = env.KEYSTONE_PROJECT
    conforms('swift with keystone', box, {
      storage_full: () => fullStore(box),
      permission_denied: () => box.store({ auth: other, storageUrl }),
      unauthenticated: () =>
        box.store({ auth: { type: 'password', url, user: env.KEYSTONE_USER, password: 'wrong', project } }),
    })
  },
)

describeWithService(
  ['RGW_SWIFT_AUTH_URL', 'RGW_SWIFT_USER', 'RGW_SWIFT_KEY'],
  'ceph.sh',
  'radosgw with v1 auth',
  ({ RGW_SWIFT_AUTH_URL: url, RGW_SWIFT_USER: user, RGW_SWIFT_KEY: key }) => {
    const box = sandbox(v1Service(url, user, key))
    conforms('radosgw', box, {
      unauthenticated: () => box.store({ auth: { type: 'v1', url, user, key: 'wrong' } }),
    })
  },
)

function conforms(name: string, box: Sandbox, refusing: NonNullable<Harness['refusing']>): void {
  afterAll(() => box.remove())
  testStore(
    { describe, it },
    {
      name,
      unit: UNIT,
      patienceMs: 10_000,
      refusing,
      // radosgw holds the line for a minute when the object that is read is deleted
      open: () => box.store({ idleTimeoutMs: 5000 }),
      leftovers: () => objectsOf(box),
    },
  )
}

/** Containers stay: the store makes them once. */
async function objectsOf({ list }: Sandbox): Promise<readonly string[]> {
  return (await list()).filter((name) => name.includes('/'))
}
