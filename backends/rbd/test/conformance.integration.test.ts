import { testStore } from 'mullion/testkit'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { rbd } from '../src/index.ts'
import { type Ceph, cephPool, ENV } from './ceph.ts'

describeWithService(ENV, 'ceph.sh', 'rbd store with Ceph', (settings) => {
  let ceph: Ceph
  beforeAll(async () => {
    ceph = await cephPool(settings)
  })
  afterAll(() => ceph.remove())

  const objectSize = 1 << 20
  testStore(
    { describe, it },
    {
      name: 'rbd',
      unit: objectSize,
      page: 3, // librbd has none; each image takes a while
      patienceMs: 8000,
      open: () => rbd({ ...ceph.config, objectSize }),
      leftovers: () => ceph.held(),
    },
  )
})
