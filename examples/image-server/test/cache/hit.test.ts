import { randomBytes } from 'node:crypto'
import { rmSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Policy } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { MullionError } from 'mullion'
import { identity } from '../v1/server.ts'
import { PIECE, type Rig, type RigOptions, rig, until } from './rig.ts'

const BYTES = randomBytes(8 * PIECE + 123)

/** A rig with one image that is cached. */
async function warm(options: RigOptions = {}, fields: object = {}): Promise<Rig & { readonly id: string }> {
  const rigged = await rig(options)
  const id = await rigged.image(BYTES, fields)
  const owner = identity('owner', 'admin')
  expect((await rigged.server.call('GET', `/v1/images/${id}`, owner)).body.equals(BYTES)).toBe(true)
  await until(() => rigged.cache.cached().length === 1)
  return { ...rigged, id }
}

describe('a cached image', { timeout: 30_000 }, () => {
  it('is answered as it was from the store, also when the store has lost it', async () => {
    const { server, origin, id } = await warm(
      {},
      { properties: new Map([['os_type', 'linux']]), visibility: 'public', owner: 'somebody' },
    )
    const uncached = await rig({ origin })
    await uncached.registry.images.insert(await server.image(id))
    const path = `/v1/images/${id}`
    const miss = await uncached.server.call('GET', path)
    origin.objects.clear()
    const hit = await server.call('GET', path)
    const shown = ({ headers }: typeof hit) => {
      const { date: _date, 'x-openstack-request-id': _id, ...others } = headers
      return others
    }
    expect(shown(hit)).toEqual(shown(miss))
    expect(hit.headers).toMatchObject({
      'x-image-meta-property-os_type': 'linux',
      'x-image-meta-size': `${BYTES.length}`,
    })
    expect(hit.body.equals(BYTES)).toBe(true)
    expect(hit.octets.slice(0, 2000)).not.toMatch(/location|origin:/i)
  })

  it('counts its hits and when it was read last', async () => {
    let now = 1_000
    const { cache, server, id } = await warm({ cache: { now: () => now } })
    now = 61_000
    await server.call('GET', `/v1/images/${id}`)
    await server.call('HEAD', `/v1/images/${id}`)
    expect(cache.cached()).toEqual([
      { imageId: id, size: BYTES.length, hits: 1, lastAccessed: new Date(61_000), lastModified: new Date(1_000) },
    ])
  })

  it('is refused to whom the policy does not let download, and to everybody once deactivated', async () => {
    const refused = new Set<string>()
    const policy: Policy = {
      async enforce(action, { tenant }) {
        if (action === 'download_image' && tenant !== undefined && refused.has(tenant)) {
          throw new MullionError('permission_denied', 'no', { details: {} })
        }
      },
    }
    const { server, registry, id } = await warm(
      { settings: { auth: 'trusted' }, ports: { policy } },
      { visibility: 'public' },
    )
    refused.add('other')
    const get = (tenant: string, ...roles: string[]) =>
      server.call('GET', `/v1/images/${id}`, identity(tenant, ...roles))
    expect((await get('other')).status).toBe(403)
    expect((await get('third')).status).toBe(200)
    await registry.images.update(id, { status: 'deactivated' })
    for (const answer of [await get('third'), await get('owner', 'admin')]) {
      expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('is deactivated')])
    }
  })

  it('is out of reach for a member at the moment he is none any more', async () => {
    const { server, registry, id } = await warm(
      { settings: { auth: 'trusted' } },
      { owner: 'owner', visibility: 'shared' },
    )
    const status = async () => (await server.call('GET', `/v1/images/${id}`, identity('friend'))).status
    expect(await status()).toBe(404)
    await registry.members.put(id, { member: 'friend' })
    expect(await status()).toBe(200)
    await registry.members.remove(id, 'friend')
    expect(await status()).toBe(404)
  })

  it('is gone from the disk once it was deleted', async () => {
    const { server, files, cache, id } = await warm()
    expect((await server.call('DELETE', `/v1/images/${id}`)).status).toBe(200)
    expect([files(), cache.cached()]).toEqual([[], []])
    expect((await server.call('GET', `/v1/images/${id}`)).status).toBe(404)
  })

  it('is gone when the deletion was delayed, too', async () => {
    const { server, files, origin, id } = await warm({ settings: { delayedDelete: true } })
    await server.call('DELETE', `/v1/images/${id}`)
    expect([files(), origin.objects.size]).toEqual([[], 1])
  })

  it('stays when its deletion is refused', async () => {
    const { server, files, id } = await warm({}, { protected: true })
    expect((await server.call('DELETE', `/v1/images/${id}`)).status).toBe(403)
    expect(files()).toHaveLength(1)
  })
})

describe('a cached image that is not what it was', { timeout: 30_000 }, () => {
  it('comes from the store again when its file is shorter, longer or gone', async () => {
    const { server, dir, files, origin, cache, id } = await warm()
    const path = () => join(dir, files()[0] ?? '')
    const spoilers = [
      () => truncateSync(path(), 100),
      () => writeFileSync(path(), 'x', { flag: 'a' }),
      () => rmSync(path()),
    ]
    for (const [turn, spoil] of spoilers.entries()) {
      spoil()
      expect((await server.call('GET', `/v1/images/${id}`)).body.equals(BYTES)).toBe(true)
      await until(() => cache.cached().length === 1)
      expect(origin.reads).toBe(turn + 2)
    }
  })

  it('breaks the connection and is dropped when hits are verified', async () => {
    const { server, dir, files, cache, id } = await warm({ cache: { verifyHits: true } })
    const file = await open(join(dir, files()[0] ?? ''), 'r+')
    await file.write(Buffer.from([(BYTES[5] ?? 0) ^ 1]), 0, 1, 5)
    await file.close()
    expect((await server.call('GET', `/v1/images/${id}`)).body.length).toBeLessThan(BYTES.length)
    await until(() => files().length === 0)
    expect(cache.cached()).toEqual([])
    expect((await server.call('GET', `/v1/images/${id}`)).body.equals(BYTES)).toBe(true)
  })
})
