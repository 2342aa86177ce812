import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeWithService } from '../../../../test/services/require.ts'
import { META, OCTETS, send } from '../process/client.ts'
import { killAll, run, start } from '../process/server-process.ts'
import { killRegistries, startRegistryProcess } from './registry-process.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-registry-keystone-'))
})
afterEach(async () => {
  await killAll()
  await killRegistries()
  rmSync(directory, { recursive: true, force: true })
})

const SETTINGS = [
  'KEYSTONE_AUTH_URL',
  'KEYSTONE_USER',
  'KEYSTONE_PASSWORD',
  'KEYSTONE_PROJECT',
  'KEYSTONE_ADMIN_USER',
  'KEYSTONE_ADMIN_PASSWORD',
  'KEYSTONE_ADMIN_PROJECT',
] as const

describeWithService(SETTINGS, 'keystone.sh', 'a registry that asks Keystone who comes', (service) => {
  const admin = {
    MULLION_KEYSTONE_URL: service.KEYSTONE_AUTH_URL,
    MULLION_KEYSTONE_USER: service.KEYSTONE_ADMIN_USER,
    MULLION_KEYSTONE_PASSWORD: service.KEYSTONE_ADMIN_PASSWORD,
    MULLION_KEYSTONE_PROJECT: service.KEYSTONE_ADMIN_PROJECT,
  }
  const registry = () =>
    startRegistryProcess({
      ...admin,
      MULLION_DATA_DIR: join(directory, 'registry'),
      MULLION_PIPELINE_FLAVOUR: 'keystone',
    })
  const server = (url: string) => ({
    ...admin,
    MULLION_DATA_DIR: join(directory, 'server'),
    MULLION_REGISTRY_URL: url,
    MULLION_REGISTRY_AUTH: 'keystone',
  })

  it('serves an image server that logs in as an administrator', async () => {
    const { url } = await registry()
    expect((await send('GET', `${url}/images`)).status).toBe(401)
    const images = await start(server(url))
    const bytes = randomBytes(5_000)
    const created = await send('POST', `${images.url}/v1/images`, { ...OCTETS, ...META }, bytes)
    expect(created.status).toBe(201)
    const { image } = JSON.parse(created.body.toString()) as { image: { id: string } }
    expect((await send('GET', `${images.url}/v1/images/${image.id}`)).body.equals(bytes)).toBe(true)
  })

  it('refuses one that logs in as somebody else, which says so and does not start', async () => {
    const { url } = await registry()
    const { code, stderr } = await run([], {
      ...server(url),
      MULLION_PORT: '0',
      MULLION_KEYSTONE_USER: service.KEYSTONE_USER,
      MULLION_KEYSTONE_PASSWORD: service.KEYSTONE_PASSWORD,
      MULLION_KEYSTONE_PROJECT: service.KEYSTONE_PROJECT,
    })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/it refuses the service that asks\n$/)])
    const wrong = await run([], { ...server(url), MULLION_PORT: '0', MULLION_KEYSTONE_PASSWORD: 'wrong' })
    expect(wrong.stderr).toBe('mullion-image-server: registry: Keystone issues no token for the login of [keystone]\n')
  })
})
