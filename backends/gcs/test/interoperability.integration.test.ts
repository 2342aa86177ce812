import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import type { GcsStore } from '../src/index.ts'
import { bucketOn, CHUNK, openStore, readFrom, writeTo } from './service.ts'

const run = promisify(execFile)
const BYTES = randomBytes(3 * CHUNK + 17)
const found = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** A program of others that speaks to Cloud Storage. */
interface Tool {
  readonly program: string
  upload(file: string, object: string): Promise<unknown>
  download(object: string, file: string): Promise<unknown>
}

describeWithService(['GCS_ENDPOINT'], 'gcs.sh', 'gcs objects', ({ GCS_ENDPOINT }) => {
  const bucket = bucketOn(GCS_ENDPOINT)
  const dir = mkdtempSync(join(tmpdir(), 'mullion-gcs-'))
  writeFileSync(join(dir, 'rclone.conf'), '')
  afterAll(() => rmSync(dir, { recursive: true }))
  let store: GcsStore
  let file: string
  let object: string
  beforeEach(async () => {
    store = await openStore(bucket.config())
    object = randomUUID()
    file = join(dir, object)
  })
  afterEach(() => store.close())

  const rclone = (...args: string[]): Promise<unknown> => {
    const config = ['--config', join(dir, 'rclone.conf'), '--retries', '1', '--gcs-no-check-bucket']
    const access = ['--gcs-anonymous', '--gcs-bucket-policy-only', '--gcs-endpoint', `${GCS_ENDPOINT}/storage/v1/`]
    return run('rclone', [...config, ...access, ...args])
  }
  const remote = (name: string): string => `:gcs:${bucket.name}/${name}`
  const gcloud = (...args: string[]): Promise<unknown> =>
    run('gcloud', ['storage', 'cp', ...args], {
      env: {
        ...process.env,
        CLOUDSDK_CONFIG: join(dir, 'gcloud'),
        CLOUDSDK_CORE_PROJECT: 'mullion-test',
        CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
        CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: 'true',
        CLOUDSDK_AUTH_DISABLE_CREDENTIALS: 'true',
        CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: 'true',
        CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${GCS_ENDPOINT}/storage/v1/`,
      },
    })
  const tools: readonly Tool[] = [
    {
      program: 'curl',
      upload(from, name) {
        const url = `${GCS_ENDPOINT}/upload/storage/v1/b/${bucket.name}/o?uploadType=media&name=${name}`
        return run('curl', ['-sf', '--data-binary', `@${from}`, '-H', 'content-type: application/octet-stream', url])
      },
      download: (name, to) =>
        run('curl', ['-sf', '-o', to, `${GCS_ENDPOINT}/storage/v1/b/${bucket.name}/o/${name}?alt=media`]),
    },
    {
      program: 'rclone',
      upload: (from, name) => rclone('copyto', from, remote(name)),
      download: (name, to) => rclone('copyto', remote(name), to),
    },
    {
      program: 'gcloud',
      upload: (from, name) => gcloud(from, `gs://${bucket.name}/${name}`),
      download: (name, to) => gcloud(`gs://${bucket.name}/${name}`, to),
    },
  ]

  for (const { program, upload, download } of tools) {
    // gcloud alone is in no Debian package; in CI the others have to be there
    const isRequired = program !== 'gcloud' && process.env['CI'] === 'true'
    describe.skipIf(!isRequired && !found(program))(`and ${program}`, () => {
      it('it reads what we wrote', async () => {
        await writeTo(store, object, once(BYTES))
        await download(object, file)
        expect(readFileSync(file).equals(BYTES)).toBe(true)
      })

      it('we read what it wrote', async () => {
        writeFileSync(file, BYTES)
        await upload(file, object)
        const { bytes, size } = await readFrom(store, { bucket: bucket.name, object })
        expect(Buffer.from(bytes).equals(BYTES)).toBe(true)
        expect(size).toBe(BYTES.length)
      })
    })
  }
})
