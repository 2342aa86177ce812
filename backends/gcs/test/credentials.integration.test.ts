import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { isMullionError } from 'mullion'
import { expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import type { GcsConfig } from '../src/index.ts'
import { bucketOn, CHUNK, never, openStore, readFrom, writeTo } from './service.ts'

const BYTES = randomBytes(3 * CHUNK)
const ENV = ['GCS_ENDPOINT', 'GCS_AUTH_ENDPOINT', 'GCS_CREDENTIALS_FILE'] as const

describeWithService(ENV, 'gcs.sh', 'gcs credentials', (service) => {
  const { GCS_ENDPOINT, GCS_AUTH_ENDPOINT: endpoint, GCS_CREDENTIALS_FILE: keyFile } = service
  const bucket = bucketOn(GCS_ENDPOINT)
  const key = (): Record<string, unknown> => JSON.parse(readFileSync(keyFile, 'utf8')) as Record<string, unknown>
  const expire = (): Promise<Response> => fetch(`${GCS_ENDPOINT}/_control/expire`, { method: 'POST' })
  const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => undefined,
      (error: unknown) => error,
    )

  it.each<[string, () => Partial<GcsConfig>]>([
    ['a file', () => ({ keyFile })],
    ['what is in the file', () => ({ credentials: key() })],
  ])('are taken from %s', async (_, config) => {
    const store = await openStore(bucket.config({ endpoint, ...config() }))
    const object = randomUUID()
    async function* source(): AsyncGenerator<Uint8Array> {
      yield BYTES
    }
    const { at } = await writeTo(store, object, source())
    expect(Buffer.from((await readFrom(store, at)).bytes).equals(BYTES)).toBe(true)
    await store.remove(at, { signal: never })
    await store.close()
  })

  it('may expire at any moment', async () => {
    const store = await openStore(bucket.config({ endpoint, keyFile }))
    const object = randomUUID()
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < BYTES.length; at += 100_000) {
        await expire()
        yield BYTES.subarray(at, at + 100_000)
      }
    }
    const { at } = await writeTo(store, object, source())
    await expire()
    expect((await store.stat(at, { signal: never })).size).toBe(BYTES.length)
    await expire()
    const { body } = await store.read(at, { offset: 0, length: undefined, signal: never })
    await expire()
    let count = 0
    for await (const chunk of body) count += chunk.length
    expect(count).toBe(BYTES.length)
    await expire()
    await store.remove(at, { signal: never })
    await store.close()
  })

  it('that are wrong are told as such, at once, and not shown', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    const store = await openStore(bucket.config({ endpoint, credentials: { ...key(), private_key: privateKey } }))
    const at = { bucket: bucket.name, object: 'x' }
    async function* source(): AsyncGenerator<Uint8Array> {}
    for (const attempt of [
      () => store.stat(at, { signal: never }),
      () => store.read(at, { offset: 0, length: undefined, signal: never }),
      () => store.remove(at, { signal: never }),
      () => writeTo(store, 'x', source()),
    ]) {
      const error = await failureOf(attempt())
      expect(isMullionError(error, 'unauthenticated')).toBe(true)
      expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(/PRIVATE KEY|assertion|eyJ|ya29/)
    }
    await store.close()
  })

  it('that are missing are told as such', async () => {
    const store = await openStore(bucket.config({ endpoint }))
    const error = await failureOf(store.stat({ bucket: bucket.name, object: 'x' }, { signal: never }))
    expect(isMullionError(error, 'unauthenticated')).toBe(true)
    await store.close()
  })

  it('whose tokens cannot be had for now say unavailable', async () => {
    const credentials = { ...key(), token_uri: 'http://127.0.0.1:1/token' }
    const store = await openStore(bucket.config({ endpoint, credentials }))
    const error = await failureOf(store.stat({ bucket: bucket.name, object: 'x' }, { signal: never }))
    expect(isMullionError(error, 'unavailable')).toBe(true)
    await store.close()
  })
})
