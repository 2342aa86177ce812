import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createStores } from 'mullion'
import { assertSeeded, seededBytes, seededStream } from 'mullion/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { sandbox, UNIT, v1Service } from './support.ts'

const run = promisify(execFile)
const SIZE = 2 * UNIT + 77

describeWithService(
  ['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY'],
  'swift.sh',
  'Swift',
  ({ SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY }) => works(SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY),
)

describeWithService(
  ['RGW_SWIFT_AUTH_URL', 'RGW_SWIFT_USER', 'RGW_SWIFT_KEY'],
  'ceph.sh',
  'radosgw',
  ({ RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY }) => works(RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY),
)

/** With the tools that Debian has for Swift, both ways. */
function works(url: string, user: string, key: string): void {
  const service = v1Service(url, user, key)
  const box = sandbox(service)
  const { container } = box
  const open = async () =>
    createStores({ stores: { s: box.store({ staleUploadMs: false }) }, default: 's', retry: { attempts: 1 } })
  const swift = async (...args: string[]): Promise<void> => {
    await run('swift', ['--auth-version', '1', '-A', url, '-U', user, '-K', key, ...args])
  }
  const rclone = async (...args: string[]): Promise<void> => {
    const env = {
      ...process.env,
      RCLONE_CONFIG: join(dir, 'none'),
      RCLONE_CONFIG_S_TYPE: 'swift',
      RCLONE_CONFIG_S_AUTH: url,
      RCLONE_CONFIG_S_USER: user,
      RCLONE_CONFIG_S_KEY: key,
    }
    await run('rclone', [...args, '--swift-chunk-size', '256k', '--retries', '1'], { env })
  }
  let dir = ''
  let input = ''
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mullion-swift-'))
    input = join(dir, 'input')
    await writeFile(input, seededBytes(2, SIZE))
    await box.fetch('PUT', `/${container}`)
  })
  afterAll(async () => {
    await box.remove()
    await rm(dir, { recursive: true })
  })

  describe.each([
    ['one piece', 1000],
    ['segments', SIZE],
  ])('an object of %s', (what, size) => {
    it('that we wrote is read by swift and by rclone, byte for byte', async () => {
      await using stores = await open()
      const name = `ours-${what.replace(' ', '-')}`
      const { location } = await stores.add(name, seededStream(1, size))
      const [bySwift, byRclone] = [join(dir, 'a'), join(dir, 'b')]
      await swift('download', container, name, '-o', bySwift)
      await rclone('copyto', `s:${container}/${name}`, byRclone)
      const expected = Buffer.from(seededBytes(1, size))
      expect((await readFile(bySwift)).equals(expected)).toBe(true)
      expect((await readFile(byRclone)).equals(expected)).toBe(true)
      await stores.delete(location)
    })
  })

  it.each([
    ['swift, whole', (name: string) => swift('upload', container, input, '--object-name', name)],
    [
      'swift, in static segments',
      (name: string) => swift('upload', container, input, '--object-name', name, '-S', String(UNIT), '--use-slo'),
    ],
    [
      'swift, in dynamic segments',
      (name: string) => swift('upload', container, input, '--object-name', name, '-S', String(UNIT)),
    ],
    ['rclone, in dynamic segments', (name: string) => rclone('copyto', input, `s:${container}/${name}`)],
  ])('reads and deletes what came from %s', async (tool, upload) => {
    await using stores = await open()
    const name = `theirs-${tool.replaceAll(/\W+/g, '-')}`
    const before = (await box.list()).filter((path) => path.includes('/'))
    await upload(name)
    const location = `swift+${(await service.login()).storageUrl}/${container}/${name}`
    expect(await stores.getSizeFromBackend(location)).toBe(SIZE)
    await using got = await stores.get(location)
    await assertSeeded(got.body, { seed: 2, length: SIZE })
    // radosgw 16 sends a byte too many for such a range of dynamic segments, which HTTP clients refuse
    const length = tool.includes('dynamic') ? undefined : 10
    await using part = await stores.get(location, { offset: UNIT - 5, ...(length !== undefined && { length }) })
    await assertSeeded(part.body, { seed: 2, offset: UNIT - 5, length: length ?? SIZE - UNIT + 5 })
    await stores.delete(location)
    expect((await box.list()).filter((path) => path.includes('/'))).toEqual(before)
  })

  it('leaves nothing when swift deletes what we wrote', async () => {
    await using stores = await open()
    await stores.add('deleted', seededStream(1, SIZE))
    await swift('delete', container, 'deleted')
    expect((await box.list()).filter((path) => path.includes('deleted'))).toEqual([])
  })
}
