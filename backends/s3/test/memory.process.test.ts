import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { bucketOn, CEPH_ENV, cephOf, MIB } from './support.ts'

const PROGRAM = fileURLToPath(new URL('upload-program.ts', import.meta.url))

describeWithService(CEPH_ENV, 'ceph.sh', 'the memory of an s3 store', (env) => {
  const bucket = bucketOn(cephOf(env))
  beforeAll(() => bucket.make())
  afterAll(() => bucket.remove())

  it('stays small for an upload of unknown length', { timeout: 300_000 }, async () => {
    // the parts grow within 512 MiB as they do within 20 GiB of a service that takes 10,000
    const config = bucket.config({ partSize: 8 * MIB, maxParts: 250 })
    const words = ['--conditions=@mullion/source', PROGRAM, JSON.stringify(config), 'large', String(512 * MIB)]
    const { stdout } = await promisify(execFile)(process.execPath, words)
    const told: unknown = JSON.parse(stdout)
    expect(told).toMatchObject({ size: 512 * MIB })
    expect((told as { readonly maxRss: number }).maxRss).toBeLessThan(300 * MIB)
    const { ETag } = await bucket.s3.headObject({ Bucket: bucket.name, Key: 'large' })
    expect(ETag).toMatch(/-4\d"$/)
  })
})
