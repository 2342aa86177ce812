import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Answer, filesBelow, META, OCTETS, send, statusOf } from './client.ts'
import { killAll, start } from './server-process.ts'
import { type SlowOrigin, slowOrigin } from './slow-origin.ts'

let directory: string
let origin: SlowOrigin
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-process-'))
  origin = await slowOrigin(Buffer.from('the data'))
  origin.open()
})
afterEach(async () => {
  await killAll()
  await origin.close()
  rmSync(directory, { recursive: true })
})

const launch = (env: Readonly<Record<string, string>> = {}) => start({ MULLION_DATA_DIR: directory, ...env })
const upload = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  send('POST', `${url}/v1/images`, { ...OCTETS, ...META, ...headers }, Buffer.from('data'))
const idOf = ({ body }: Answer) => (JSON.parse(body.toString()) as { image: { id: string } }).image.id

describe('the settings, on the real server', { timeout: 30_000 }, () => {
  it('refuse what strangers send when only reading is open', async () => {
    const { url } = await launch({ MULLION_AUTH_ALLOW_ANONYMOUS_WRITES: 'false' })
    expect((await upload(url)).status).toBe(403)
    expect((await send('GET', `${url}/v1/images`)).status).toBe(200)
    expect(filesBelow(join(directory, 'images'))).toEqual([])
  })

  it('believe identities when told so, and hold them to the policy', async () => {
    const { url } = await launch({
      MULLION_PIPELINE_FLAVOUR: 'trusted-auth',
      MULLION_POLICY_ADD_IMAGE: 'role:uploader',
    })
    const identity = { 'x-identity-status': 'Confirmed', 'x-project-id': 'p' }
    expect((await upload(url)).status).toBe(401)
    expect((await upload(url, { ...identity, 'x-roles': 'reader' })).status).toBe(403)
    expect((await upload(url, { ...identity, 'x-roles': 'uploader' })).status).toBe(201)
  })

  it('know tokens by their digests, and proxies by their addresses', async () => {
    const file = join(directory, 'mullion.toml')
    const digest = createHash('sha256').update('a-token-of-the-ci').digest('hex')
    const lines = ['[[auth.tokens]]', `sha256 = "${digest}"`, 'user = "ci"', 'tenant = "demo"', 'roles = ["member"]']
    writeFileSync(file, lines.join('\n'))
    const { url } = await launch({
      MULLION_CONFIG: file,
      MULLION_PIPELINE_FLAVOUR: 'tokens',
      MULLION_PIPELINE_TRUSTED_PROXIES: '127.0.0.0/8,::1',
    })
    expect((await upload(url, { authorization: 'Bearer wrong' })).status).toBe(401)
    const proxied = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'images.example' }
    const answer = await upload(url, { authorization: 'Bearer a-token-of-the-ci', ...proxied })
    expect([answer.status, answer.headers['location']]).toEqual([
      201,
      `https://images.example/v1/images/${idOf(answer)}`,
    ])
    expect((await send('GET', `${url}/healthcheck`)).body.toString()).toBe('OK')
  })

  it('keep the server away from private addresses unless they are allowed', async () => {
    const { url } = await launch()
    const refused = await send('POST', `${url}/v1/images`, { ...META, 'x-image-meta-location': origin.url })
    expect(refused.status).toBe(400)
    await killAll()
    const open = await launch(origin.env)
    const allowed = await send('POST', `${open.url}/v1/images`, { ...META, 'x-image-meta-location': origin.url })
    expect(allowed.status).toBe(201)
  })

  it('leave the data of deleted images to the scrubber', async () => {
    const { url } = await launch({
      MULLION_DELETION_DELAYED_DELETE: 'true',
      MULLION_DELETION_SCRUB_TIME: '1',
      MULLION_DELETION_WAKEUP_TIME: '1',
    })
    const id = idOf(await upload(url))
    await send('DELETE', `${url}/v1/images/${id}`)
    expect(await statusOf(url, id)).toBe('pending_delete')
    expect(filesBelow(join(directory, 'images'))).toHaveLength(1)
    await vi.waitUntil(async () => (await statusOf(url, id)) === 'deleted', { timeout: 20_000 })
    expect(filesBelow(join(directory, 'images'))).toEqual([])
  })

  it('keep the secrets of locations out of the database', async () => {
    const key = randomBytes(32).toString('base64')
    const server = await launch({ ...origin.env, KEY: key, MULLION_REGISTRY_ENCRYPTION_KEYS: 'one=env:KEY' })
    const location = origin.url.replace('//', '//user:hunter2@')
    const id = idOf(await send('POST', `${server.url}/v1/images`, { ...META, 'x-image-meta-location': location }))
    expect((await send('GET', `${server.url}/v1/images/${id}`)).body.toString()).toBe('the data')
    server.kill('SIGTERM')
    const { stderr } = await server.ended
    expect(readFileSync(join(directory, 'registry.sqlite')).includes(id)).toBe(true)
    for (const file of filesBelow(directory)) expect(readFileSync(file).includes('hunter2')).toBe(false)
    expect(stderr).not.toContain('hunter2')
  })
})
