import type { StoreSpec } from 'mullion'
import { afterAll } from 'vitest'
import { testFaults } from '../../../test/services/fault-run.ts'
import { describeWithService } from '../../../test/services/require.ts'
import type { SwiftStore } from '../src/store.ts'
import { type Sandbox, sandbox, UNIT, v1Service } from './support.ts'

describeWithService(
  ['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY'],
  'swift.sh',
  'Swift',
  ({ SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY }) => {
    faults('swift', SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY)
  },
)

describeWithService(
  ['RGW_SWIFT_AUTH_URL', 'RGW_SWIFT_USER', 'RGW_SWIFT_KEY'],
  'ceph.sh',
  'radosgw',
  ({ RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY }) => {
    faults('radosgw', RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY)
  },
)

function faults(name: string, authUrl: string, user: string, key: string): void {
  const service = v1Service(authUrl, user, key)
  const box = sandbox(service)
  afterAll(() => box.remove())
  testFaults({
    name,
    port: Number(new URL(authUrl).port),
    size: 3 * UNIT + 12_345,
    open: (port) => through(box, service.login, authUrl, port, { user, key }),
    refused: (port) => through(box, service.login, authUrl, port, { user, key: 'wrong' }),
    leftovers: async () => (await box.list()).filter((path) => path.includes('/')),
    sweep: () => removeSegments(box),
  })
}

async function through(
  box: Sandbox,
  login: () => Promise<{ storageUrl: string }>,
  authUrl: string,
  port: number,
  who: { user: string; key: string },
): Promise<StoreSpec<SwiftStore>> {
  const { storageUrl } = await login()
  const at = (url: string): string => url.replace(/:\d+\//, `:${port}/`)
  return box.store({
    auth: { type: 'v1', url: at(authUrl), ...who },
    storageUrl: at(storageUrl),
    staleUploadMs: false,
    connectTimeoutMs: 1000,
    responseTimeoutMs: 2000,
    idleTimeoutMs: 1500,
  })
}

/** What the sweep of a later start does, without waiting for the segments to be old. */
async function removeSegments(box: Sandbox): Promise<void> {
  const paths = await box.list()
  for (const path of paths) {
    const [container = '', , imageContainer, key] = path.split('/')
    const isSegment = container.endsWith('_segments') && key !== undefined
    if (isSegment && !paths.includes(`${imageContainer}/${key}`)) await box.fetch('DELETE', `/${path}`)
  }
}
