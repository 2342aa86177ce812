import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { file } from '@mullion/file'
import { createStores } from 'mullion'
import { assertSeeded, seededBytes, testStore } from 'mullion/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { temporaryDirectory } from './support.ts'

describeWithService(['XFS_DIR'], 'xfs.sh', 'file store where files can share blocks', ({ XFS_DIR }) => {
  const dir = mkdtempSync(join(XFS_DIR, 'mullion-'))
  afterAll(() => rmSync(dir, { recursive: true }))

  testStore(
    { describe, it },
    { name: 'file (xfs)', unit: 1 << 20, open: () => file({ dir }), leftovers: () => readdirSync(dir) },
  )

  it('copies without taking room', async () => {
    await using stores = await createStores({ stores: { one: file({ dir }) }, default: 'one' })
    const size = 64 << 20
    const { location } = await stores.add(randomUUID(), seededBytes(1, size))
    const before = statfsSync(dir).bfree
    const copied = await stores.copy(location, { to: 'one', imageId: randomUUID() })
    const taken = (before - statfsSync(dir).bfree) * statfsSync(dir).bsize
    expect(copied).toMatchObject({ way: 'native', size })
    expect(taken).toBeLessThan(1 << 20)
    const { body } = await stores.get(copied.location)
    await assertSeeded(body, { seed: 1, length: size })
    await stores.delete(location)
    await stores.delete(copied.location)
  })

  it('streams a copy to another file system', async () => {
    const elsewhere = await temporaryDirectory()
    const stores = await createStores({
      stores: { here: file({ dir }), there: file({ dir: elsewhere }) },
      default: 'here',
    })
    try {
      const key = randomUUID()
      const { location } = await stores.add(key, seededBytes(2, 100_000))
      const copied = await stores.copy(location, { to: 'there' })
      expect(copied).toMatchObject({ way: 'streamed', size: 100_000 })
      expect(readdirSync(elsewhere)).toEqual([key])
      await stores.delete(location)
    } finally {
      await stores.close()
    }
  })
})
