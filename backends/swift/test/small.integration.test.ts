import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createStores, isMullionError } from 'mullion'
import { assertSeeded, seededStream } from 'mullion/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { type Sandbox, sandbox, v1Service } from './support.ts'

const run = promisify(execFile)
const SCRIPT = resolve(import.meta.dirname, '../../../test/services/swift.sh')
const MIB = 1024 ** 2

/** An instance of its own: what it lacks, others would miss. */
describeWithService(['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY'], 'swift.sh', 'a small Swift', (env) => {
  let dir = ''
  let box: Sandbox | undefined
  const script = (verb: string, port: number) =>
    run('bash', [SCRIPT, verb], {
      env: {
        ...process.env,
        MULLION_SERVICES_DIR: dir,
        MULLION_PORT_BASE: String(port - 80),
        MULLION_SWIFT_KEYSTONE: '0',
        MULLION_SWIFT_MAX_FILE_SIZE: String(MIB),
        MULLION_SWIFT_STORE: 'tmpfs',
        MULLION_SWIFT_STORE_SIZE: '48M',
      },
    })
  const url = new URL(env.SWIFT_AUTH_URL)
  const port = Number(url.port) + 7000

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mullion-swift-'))
    await script('up', port)
    url.port = String(port)
    box = sandbox(v1Service(url.href, env.SWIFT_USER, env.SWIFT_KEY))
  }, 180_000)
  afterAll(async () => {
    await script('purge', port)
    await rm(dir, { recursive: true, force: true })
  }, 120_000)

  const open = async () =>
    createStores({
      stores: { s: (box as Sandbox).store({ staleUploadMs: false, largeObjectSize: 64 * MIB, segmentSize: 64 * MIB }) },
      default: 's',
      retry: { attempts: 1 },
    })

  it('stores an image as segments no larger than it takes', { timeout: 120_000 }, async () => {
    await using stores = await open()
    const size = 3 * MIB + 5
    for (const known of [{ size }, {}]) {
      const { location } = await stores.add('limited', seededStream(1, size), known)
      await using got = await stores.get(location)
      await assertSeeded(got.body, { seed: 1, length: size })
      await stores.delete(location)
    }
  })

  it('says so when its disk is full, leaves nothing, and takes images again', { timeout: 120_000 }, async () => {
    await using stores = await open()
    const error: unknown = await stores.add('full', seededStream(2, 60 * MIB)).catch((thrown: unknown) => thrown)
    // its proxy answers 503 when all its disks are full
    expect(isMullionError(error, 'storage_full') || isMullionError(error, 'unavailable'), String(error)).toBe(true)
    expect((await (box as Sandbox).list()).filter((path) => path.includes('/'))).toEqual([])
    const { location } = await stores.add('fits', seededStream(3, 5 * MIB))
    await stores.delete(location)
  })
})
